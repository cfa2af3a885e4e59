import Foundation
import Testing

@testable import PathTelemetry
@testable import PathTransport

/// The bytes of a hexadecimal text; spaces are skipped.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map {
        UInt8(digits[$0] * 16 + digits[$0 + 1])
    }
}

func hexText(_ bytes: [UInt8]) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
}

func randomBytes(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
}

/// Constant-time comparison of arrays.
func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    Crypto.equal(left.span.bytes, right.span.bytes)
}

/// A secret of a test's choice; the bytes must be 32.
func secretBytes(_ bytes: [UInt8]) throws -> SecretBytes {
    guard let secret = SecretBytes(copying: bytes.span.bytes) else {
        throw CryptoError.wrongLength(what: "test secret", expected: 32, found: bytes.count)
    }
    return secret
}

/// The published Noise vectors, beside the repository or where PATHWISE_SHARED points.
enum NoiseVectors {
    struct File: Decodable { var vectors: [Vector] }

    struct Vector: Decodable, CustomStringConvertible {
        struct Message: Decodable { var payload, ciphertext: String }
        var protocol_name, init_prologue, init_static, init_ephemeral, init_remote_static: String
        var resp_prologue, resp_static, resp_ephemeral, handshake_hash: String
        var init_psks, resp_psks: [String]?
        var messages: [Message]
        var description: String { protocol_name }
    }

    static let path: String = {
        let tail = "reference/noise/vectors.json"
        if let shared = ProcessInfo.processInfo.environment["PATHWISE_SHARED"] {
            return shared + "/" + tail
        }
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            let candidate = folder.appendingPathComponent("shared/" + tail).path
            if FileManager.default.fileExists(atPath: candidate) { return candidate }
            folder = folder.deletingLastPathComponent()
        }
        return "shared/" + tail
    }()

    static let absence: Comment = "the shared Noise vectors are not beside the repository"
    static let isPresent = FileManager.default.fileExists(atPath: path)

    static let all: [Vector] = {
        guard let data = FileManager.default.contents(atPath: path),
            let file = try? JSONDecoder().decode(File.self, from: data)
        else { return [] }
        return file.vectors
    }()
}
