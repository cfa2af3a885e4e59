import Glibc

/// The bytes of a file; a file larger than `limit` is refused.
package func readFile(
    _ path: String, limit: Int
) throws(SimulationError) -> [UInt8] {
    guard let file = fopen(path, "re") else {
        throw .unreadableFile(path: path, reason: systemReason())
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    let block = 65_536
    while true {
        let before = bytes.count
        guard before <= limit else {
            throw .unreadableFile(path: path, reason: "larger than \(limit) bytes")
        }
        bytes.append(contentsOf: repeatElement(0, count: block))
        let got = bytes.withUnsafeMutableBytes {
            fread($0.baseAddress.map { $0 + before }, 1, block, file)
        }
        bytes.removeLast(block - got)
        if got < block {
            guard ferror(file) == 0 else {
                throw .unreadableFile(path: path, reason: systemReason())
            }
            guard bytes.count <= limit else {
                throw .unreadableFile(path: path, reason: "larger than \(limit) bytes")
            }
            return bytes
        }
    }
}

private func systemReason() -> String { String(cString: strerror(errno)) }

/// A path for the system: relative ones start at `folder`.
func resolved(_ path: String, in folder: String) -> String {
    path.hasPrefix("/") || folder.isEmpty ? path : folder + "/" + path
}

/// The folder of a file, empty for the current one.
func folder(of file: String) -> String {
    guard let slash = file.lastIndex(of: "/") else { return "" }
    return slash == file.startIndex ? "/" : String(file[..<slash])
}
