internal import PathTransport

/// The page at `/`: one file in this program, with its style and its script.
package enum WatchPage {
    /// What stands in the file for the number that allows its own style and script, and no others.
    private static let mark = Array("NONCE".utf8)

    /// The page, with a fresh number.
    package static func response() -> HTTPResponse {
        guard let random = try? Crypto.randomBytes(count: 16) else {
            return HTTPResponse(.unavailable)
        }
        var nonce: [UInt8] = []
        for byte in random { nonce += [97 + byte >> 4, 97 + byte & 15] }
        let text = String(decoding: nonce, as: UTF8.self)
        var response = HTTPResponse(
            filled(PackageResources.page_html, with: nonce), type: "text/html; charset=utf-8")
        response.contentPolicy =
            "default-src 'none'; script-src 'nonce-\(text)'; style-src 'nonce-\(text)'; "
            + "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'none'; require-trusted-types-for 'script'"
        return response
    }

    private static func filled(_ page: [UInt8], with nonce: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(page.count + 4 * nonce.count)
        var index = 0
        while index < page.count {
            if page[index] == mark[0], page[index...].starts(with: mark) {
                result += nonce
                index += mark.count
            } else {
                result.append(page[index])
                index += 1
            }
        }
        return result
    }
}
