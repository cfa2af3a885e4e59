import Glibc

/// Why a key, a handshake message or a key file was refused.
///
/// The description is one line: what was tried, on what, and how to fix it. It never contains
/// secret bytes.
public enum CryptoError: Error, Equatable, Sendable {
    /// libcrypto could not do `operation`: memory or the algorithm is missing.
    case backend(operation: String)
    /// A key or an AEAD input of the wrong length, in bytes.
    case wrongLength(what: String, expected: Int, found: Int)
    /// Text that is not the base64 of 32 bytes.
    case notBase64(what: String)
    /// The Diffie-Hellman result was all zero: the peer sent a public key of small order.
    case weakPublicKey
    /// A handshake message shorter than its pattern allows.
    case messageTooShort(needed: Int, found: Int)
    /// The message is longer than Noise allows (65,535 bytes with tags).
    case messageTooLong(found: Int)
    /// The tag over `part` does not fit: forged, damaged, or made with other keys.
    case authenticationFailed(part: String)
    /// The handshake is not at the point where `operation` is possible.
    case outOfOrder(operation: String)
    /// The pattern mixes a preshared key in, and none was given.
    case presharedKeyMissing
    /// The initiator proved to own this key, and it is not admitted.
    case peerRefused(PublicKey)
    /// A Noise counter reached its end; the keys must not be used any longer.
    case nonceExhausted
    /// A call of the operating system on a key file failed with `code` (errno).
    case keyFile(operation: String, path: String, code: Int32)
    /// There is no key file at `path`.
    case keyFileMissing(path: String)
    /// A file at `path` exists already, and a key is never overwritten.
    case keyFileExists(path: String)
    /// Group or others may read or write the file; `mode` is its permission bits.
    case keyFileExposed(path: String, mode: UInt32)
    /// The file does not hold one key; `problem` says why.
    case keyFileMalformed(path: String, problem: String)
}

extension CryptoError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .backend(let operation):
            "libcrypto failed at \(operation); check that OpenSSL 3 with its default provider "
                + "is installed and that memory is left"
        case .wrongLength(let what, let expected, let found):
            "\(what) has \(found) bytes, expected \(expected)"
        case .notBase64(let what):
            "\(what) is not a key: expected 44 characters of base64, as `pathwise keygen` prints"
        case .weakPublicKey:
            "the peer's public key gives an all-zero shared secret and is refused; "
                + "check the key, or somebody tampers with the handshake"
        case .messageTooShort(let needed, let found):
            "handshake message of \(found) bytes, at least \(needed) are needed"
        case .messageTooLong(let found):
            "message of \(found) bytes, Noise allows 65535 at most"
        case .authenticationFailed(let part):
            "\(part) is not authentic: forged, damaged in transit, or the keys do not match; "
                + "compare public keys and preshared key on both sides"
        case .outOfOrder(let operation):
            "\(operation) is not possible at this point of the handshake"
        case .presharedKeyMissing:
            "the handshake needs a preshared key and none was given"
        case .peerRefused(let key):
            "the peer's public key \(key.base64) is not allowed; add it to the allowed keys"
        case .nonceExhausted:
            "all nonces of this key are used; start a new handshake"
        case .keyFile(let operation, let path, let code):
            "cannot \(operation) key file \(path): \(CryptoError.text(of: code))"
                + CryptoError.remedy(for: code)
        case .keyFileMissing(let path):
            "no key file at \(path); make one with: pathwise keygen \(path)"
        case .keyFileExists(let path):
            "\(path) exists already and is not overwritten; choose another name or remove it"
        case .keyFileExposed(let path, let mode):
            "key file \(path) has mode 0\(String(mode, radix: 8)), so others can use the key; "
                + "run: chmod 600 \(path)"
        case .keyFileMalformed(let path, let problem):
            "\(path) is not a key file: \(problem); make one with: pathwise keygen FILE"
        }
    }

    private static func remedy(for code: Int32) -> String {
        switch code {
        case ENOENT, ENOTDIR: "; make its folder first"
        case EACCES, EPERM: "; use a file and folder that belong to you"
        case ENOSPC, EDQUOT: "; free some space"
        case EROFS: "; choose a folder that can be written"
        default: ""
        }
    }

    private static func text(of code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}
