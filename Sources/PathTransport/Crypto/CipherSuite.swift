internal import CCrypto

/// The authenticated cipher of packets.
///
/// All suites have a 12-byte nonce and a 16-byte tag.
public enum CipherSuite: UInt8, Sendable, CaseIterable {
    /// AES-128-GCM (NIST SP 800-38D): fastest where the processor has AES instructions.
    case aes128gcm = 1
    /// AES-256-GCM (NIST SP 800-38D).
    case aes256gcm = 2
    /// ChaCha20-Poly1305 (RFC 8439): fastest on other processors.
    case chacha20poly1305 = 3

    /// The word used on the command line, in tables and in traces.
    public var name: String {
        switch self {
        case .aes128gcm: "aes-128-gcm"
        case .aes256gcm: "aes-256-gcm"
        case .chacha20poly1305: "chacha20-poly1305"
        }
    }

    /// The suite of that name, or nil.
    public init?(name: String) {
        guard let suite = CipherSuite.allCases.first(where: { $0.name == name }) else {
            return nil
        }
        self = suite
    }

    /// Length of the key, bytes.
    var keyLength: Int { self == .aes128gcm ? 16 : 32 }
    /// The most packets under one key before the next generation (RFC 9001, section 6.6).
    var confidentialityLimit: UInt64 { self == .chacha20poly1305 ? 1 << 62 : 1 << 23 }
    /// The most forged packets under one key before the connection ends (same section).
    var integrityLimit: UInt64 { self == .chacha20poly1305 ? 1 << 36 : 1 << 52 }
    /// Length of the tag behind every payload, bytes.
    static let tagLength = 16

    var algorithm: Int32 {
        switch self {
        case .aes128gcm: CCRYPTO_AEAD_AES_128_GCM
        case .aes256gcm: CCRYPTO_AEAD_AES_256_GCM
        case .chacha20poly1305: CCRYPTO_AEAD_CHACHA20_POLY1305
        }
    }
}

/// One AEAD key with its key schedule and context; nothing is allocated after `init`.
@safe struct AEADContext: ~Copyable {
    private let context: OpaquePointer

    /// Errors: `backend` when libcrypto lacks memory or the algorithm.
    ///
    /// - Parameter key: 32 bytes, the suite uses the first `keyLength`.
    init(suite: CipherSuite, key: SecretBytes) throws(CryptoError) {
        guard
            let made = unsafe key.withBytes({ key in
                unsafe ccrypto_aead_new(suite.algorithm, key)
            })
        else { throw .backend(operation: "key set-up of \(suite.name)") }
        unsafe context = made
    }

    deinit { unsafe ccrypto_aead_free(context) }

    /// Encrypts in place and writes the tag behind the payload; the caller left room for it.
    ///
    /// The nonce is both numbers in big-endian order, 4 and 8 bytes.
    mutating func seal(
        nonceHigh: UInt32, nonceLow: UInt64, header: UnsafeRawBufferPointer,
        payload: UnsafeMutablePointer<UInt8>, length: Int
    ) -> Bool {
        unsafe ccrypto_aead_seal(
            context, nonceHigh, nonceLow, header.start, header.count, payload, length) == 1
    }

    /// Decrypts in place; the tag lies behind the payload.
    ///
    /// On failure the payload is zeroed.
    mutating func open(
        nonceHigh: UInt32, nonceLow: UInt64, header: UnsafeRawBufferPointer,
        payload: UnsafeMutablePointer<UInt8>, length: Int
    ) -> Bool {
        unsafe ccrypto_aead_open(
            context, nonceHigh, nonceLow, header.start, header.count, payload, length) == 1
    }
}
