internal import CCrypto

/// An X25519 public key (RFC 7748): it identifies a peer and is safe to show.
public struct PublicKey: Hashable, Sendable {
    /// Length in bytes.
    public static let length = 32

    let bytes: Bytes32

    init(bytes: Bytes32) { self.bytes = bytes }

    /// Makes a key from 32 bytes; nil for any other length.
    public init?(_ bytes: [UInt8]) {
        guard let bytes = unsafe Bytes32(copying: bytes.span.bytes) else { return nil }
        self.bytes = bytes
    }

    /// Makes a key from 44 characters of base64, as WireGuard writes keys; nil for anything else.
    public init?(base64: String) {
        guard let bytes = Base64.decode(base64.utf8) else { return nil }
        self.init(bytes)
    }

    /// The 32 bytes.
    public var rawBytes: [UInt8] { bytes.array }
    /// 44 characters.
    public var base64: String { Base64.encode(bytes.array) }

    public static func == (left: PublicKey, right: PublicKey) -> Bool {
        unsafe Crypto.equal(left.bytes.storage.span.bytes, right.bytes.storage.span.bytes)
    }

    public func hash(into hasher: inout Hasher) {
        unsafe bytes.withBytes { start in
            unsafe hasher.combine(
                bytes: UnsafeRawBufferPointer(start: start, count: PublicKey.length))
        }
    }
}

extension PublicKey: CustomStringConvertible {
    public var description: String { base64 }
}

/// An X25519 private key with its public key.
///
/// It prints as `<private key>` everywhere. The bytes exist once and are wiped with the last copy
/// of the value.
public struct PrivateKey: Sendable {
    /// Length in bytes.
    public static let length = 32

    private let handle: KeyHandle
    /// The public half, computed once.
    public let publicKey: PublicKey

    private init(secret: SecretBytes) throws(CryptoError) {
        handle = try KeyHandle(secret)
        publicKey = try handle.publicKey()
    }

    /// Makes a new key from the operating system's randomness, clamped as RFC 7748 section 5 says.
    ///
    /// Errors: `backend` when the system provides no randomness.
    public static func generate() throws(CryptoError) -> PrivateKey {
        let secret = try unsafe SecretBytes {
            (target: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            guard unsafe ccrypto_random(target, SecretBytes.length) == 1 else {
                throw .backend(operation: "random bytes")
            }
            unsafe target[0] &= 248
            unsafe target[31] = target[31] & 127 | 64
        }
        return try PrivateKey(secret: secret)
    }

    /// Makes a key from 32 bytes; nil for any other length, or when libcrypto has no memory left.
    public init?(_ bytes: [UInt8]) {
        guard let secret = unsafe SecretBytes(copying: bytes.span.bytes) else { return nil }
        try? self.init(secret: secret)
    }

    /// Makes a key from 44 characters of base64, as WireGuard writes keys; nil for anything else.
    public init?(base64: String) { self.init(base64: base64.utf8) }

    /// Makes a key from characters in memory of the caller, who wipes it.
    public init?(base64 characters: some Sequence<UInt8>) {
        guard var bytes = Base64.decode(characters) else { return nil }
        defer { Crypto.wipe(&bytes) }
        self.init(bytes)
    }

    /// The secret itself as 44 characters, for key files only.
    public var base64: String {
        get throws(CryptoError) {
            var bytes = try secretBytes
            defer { Crypto.wipe(&bytes) }
            return Base64.encode(bytes)
        }
    }

    /// The secret itself; the caller wipes it.
    package var secretBytes: [UInt8] {
        get throws(CryptoError) { try handle.secret().array }
    }

    /// 32 bytes that only the owner of the key can derive, different for each purpose (RFC 2104).
    ///
    /// They reveal nothing about the key, and are the same each time.
    public func derivedBytes(for purpose: String) throws(CryptoError) -> [UInt8] {
        let secret = try handle.secret()
        let label = Array(purpose.utf8)
        return try unsafe Crypto.hmac(key: secret, label.span.bytes, RawSpan()).array
    }

    /// The X25519 shared secret with `peer`.
    ///
    /// Errors: `weakPublicKey` when it is all zero (RFC 7748, section 6.1).
    func sharedSecret(with peer: PublicKey) throws(CryptoError) -> SecretBytes {
        try handle.sharedSecret(with: peer)
    }
}

/// The owner of libcrypto's key object, which wipes the private half when it is freed.
@safe private final class KeyHandle: @unchecked Sendable {
    private let key: OpaquePointer

    init(_ secret: SecretBytes) throws(CryptoError) {
        guard let key = unsafe secret.withBytes({ unsafe ccrypto_x25519_new($0) }) else {
            throw .backend(operation: "X25519 key set-up")
        }
        unsafe self.key = key
    }

    deinit { unsafe ccrypto_x25519_free(key) }

    func publicKey() throws(CryptoError) -> PublicKey {
        var bytes = Bytes32()
        let done = unsafe bytes.withMutableBytes { unsafe ccrypto_x25519_public(key, $0) }
        guard done == 1 else { throw .backend(operation: "X25519 public key") }
        return PublicKey(bytes: bytes)
    }

    func secret() throws(CryptoError) -> SecretBytes {
        try unsafe SecretBytes { (target: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            guard unsafe ccrypto_x25519_private(key, target) == 1 else {
                throw .backend(operation: "X25519 private key")
            }
        }
    }

    func sharedSecret(with peer: PublicKey) throws(CryptoError) -> SecretBytes {
        try unsafe SecretBytes { (target: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            switch unsafe peer.bytes.withBytes({ unsafe ccrypto_x25519_shared(key, $0, target) }) {
            case 1: return
            case 0: throw .backend(operation: "X25519")
            default: throw .weakPublicKey
            }
        }
    }
}

/// 32 secret bytes that both peers share beforehand; all zeros are equivalent to no key.
public struct PresharedKey: Sendable {
    /// Length in bytes.
    public static let length = 32

    let secret: SecretBytes

    /// Makes a new key from the operating system's randomness.
    ///
    /// Errors: `backend` when the system provides no randomness.
    public static func generate() throws(CryptoError) -> PresharedKey {
        PresharedKey(secret: try Crypto.randomSecret())
    }

    private init(secret: SecretBytes) { self.secret = secret }

    /// Makes a key from 32 bytes; nil for any other length.
    public init?(_ bytes: [UInt8]) {
        guard let secret = unsafe SecretBytes(copying: bytes.span.bytes) else { return nil }
        self.secret = secret
    }

    /// Makes a key from 44 characters of base64, as WireGuard writes keys; nil for anything else.
    public init?(base64: String) {
        guard var bytes = Base64.decode(base64.utf8) else { return nil }
        defer { Crypto.wipe(&bytes) }
        self.init(bytes)
    }

    /// Whether two clients' keys are the same, or both have none; timing reveals no byte of them.
    static func areSame(_ first: PresharedKey?, _ second: PresharedKey?) -> Bool {
        guard let first, let second else { return first == nil && second == nil }
        return unsafe first.secret.withBytes { first in
            unsafe second.secret.withBytes { second in
                let left = unsafe UnsafeRawBufferPointer(start: first, count: length)
                let right = unsafe UnsafeRawBufferPointer(start: second, count: length)
                return unsafe Crypto.equal(left.bytes, right.bytes)
            }
        }
    }

    /// The secret itself as 44 characters, for key files only.
    public var base64: String {
        var bytes = secret.array
        defer { Crypto.wipe(&bytes) }
        return Base64.encode(bytes)
    }
}

/// The root of one direction's packet keys, from the handshake or from the previous generation.
public struct TrafficSecret: Sendable {
    let secret: SecretBytes

    init(_ secret: SecretBytes) { self.secret = secret }

    /// Makes a secret from 32 bytes; nil for any other length.
    public init?(_ bytes: [UInt8]) {
        guard let secret = unsafe SecretBytes(copying: bytes.span.bytes) else { return nil }
        self.secret = secret
    }
}

/// A type whose values must not reach a log: print, dump and interpolation show a fixed text only.
protocol Redacted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension Redacted {
    public var description: String { "<private key>" }
    public var debugDescription: String { "<private key>" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension PrivateKey: Redacted {}
extension PresharedKey: Redacted {}
extension TrafficSecret: Redacted {}
extension DirectionKeys: Redacted {}
