/// The AEADs that Noise names; each writes the counter into the nonce in its own way.
public enum NoiseCipher: Sendable, CaseIterable {
    /// AES-256-GCM, counter big-endian.
    case aesgcm
    /// ChaCha20-Poly1305, counter little-endian.
    case chachapoly

    /// The word in a Noise protocol name.
    public var name: String { self == .aesgcm ? "AESGCM" : "ChaChaPoly" }

    var suite: CipherSuite { self == .aesgcm ? .aes256gcm : .chacha20poly1305 }

    /// The last 8 bytes of the nonce, as a big-endian number; the first 4 are zero.
    func nonce(_ counter: UInt64) -> UInt64 {
        self == .aesgcm ? counter : counter.byteSwapped
    }
}

/// Noise's SymmetricState and CipherState of a running handshake (sections 5.1 and 5.2).
///
/// It is a value: a handshake works on a copy and keeps it only if the whole message was valid.
struct SymmetricState {
    private let cipher: NoiseCipher
    /// h: the hash of everything both sides have seen.
    private(set) var hash: Bytes32
    /// ck: the secret so far, from which all keys are derived.
    private var chainingKey: SecretBytes
    /// k, nil before the first key is mixed in.
    private var key: SecretBytes?
    /// n: the number of messages encrypted or decrypted under k.
    private var counter: UInt64 = 0

    /// Initialises h and ck from the protocol's name: padded up to 32 bytes, hashed if longer.
    init(protocolName: String, cipher: NoiseCipher) throws(CryptoError) {
        self.cipher = cipher
        var name = Array(protocolName.utf8)
        if name.count < Bytes32.length {
            name.append(contentsOf: repeatElement(0, count: Bytes32.length &- name.count))
        }
        if let padded = unsafe Bytes32(copying: name.span.bytes) {
            hash = padded
        } else {
            hash = try unsafe Crypto.sha256(name.span.bytes)
        }
        guard let chainingKey = unsafe SecretBytes(copying: hash.storage.span.bytes) else {
            throw .wrongLength(what: "hash", expected: 32, found: 0)
        }
        self.chainingKey = chainingKey
    }

    /// MixHash.
    mutating func mix(hash data: RawSpan) throws(CryptoError) {
        hash = try unsafe Crypto.sha256(hash.storage.span.bytes, data)
    }

    /// MixKey with a secret: a Diffie-Hellman result.
    mutating func mix(key input: SecretBytes) throws(CryptoError) {
        let (next, key) = try unsafe input.withBytes {
            (bytes: UnsafePointer<UInt8>) throws(CryptoError) in
            try unsafe Crypto.noiseHKDF(
                chainingKey: chainingKey,
                input: UnsafeBufferPointer(start: bytes, count: SecretBytes.length))
        }
        (chainingKey, self.key, counter) = (next, key, 0)
    }

    /// MixKey with an ephemeral public key, as patterns with a pre-shared key require (section
    /// 9.2).
    mutating func mix(key input: PublicKey) throws(CryptoError) {
        let (next, key) = try unsafe input.bytes.withBytes {
            (bytes: UnsafePointer<UInt8>) throws(CryptoError) in
            try unsafe Crypto.noiseHKDF(
                chainingKey: chainingKey,
                input: UnsafeBufferPointer(start: bytes, count: Bytes32.length))
        }
        (chainingKey, self.key, counter) = (next, key, 0)
    }

    /// MixKeyAndHash, for the token psk.
    mutating func mix(keyAndHash input: PresharedKey) throws(CryptoError) {
        let (next, toHash, key) = try unsafe input.secret.withBytes {
            (bytes: UnsafePointer<UInt8>) throws(CryptoError) in
            try unsafe Crypto.noiseHKDF3(
                chainingKey: chainingKey,
                input: UnsafeBufferPointer(start: bytes, count: SecretBytes.length))
        }
        chainingKey = next
        hash = try unsafe toHash.withBytes {
            (bytes: UnsafePointer<UInt8>) throws(CryptoError) in
            let toHash = unsafe UnsafeRawBufferPointer(start: bytes, count: SecretBytes.length)
            return try unsafe Crypto.sha256(hash.storage.span.bytes, toHash.bytes)
        }
        (self.key, counter) = (key, 0)
    }

    /// EncryptAndHash: appends the ciphertext and its tag to `message`.
    mutating func encryptAndHash(
        _ plaintext: RawSpan, appendingTo message: inout [UInt8]
    ) throws(CryptoError) {
        let start = message.count
        unsafe plaintext.withUnsafeBytes { unsafe message.append(contentsOf: $0) }
        if let key {
            let length = message.count &- start
            message.append(contentsOf: repeatElement(0, count: Crypto.tagLength))
            var context = try AEADContext(suite: cipher.suite, key: key)
            let nonce = try takeNonce()
            let sealed = unsafe hash.withBytes { hash in
                unsafe message.withUnsafeMutableBufferPointer { message in
                    guard let base = message.baseAddress else { return false }
                    return unsafe context.seal(
                        nonceHigh: 0, nonceLow: nonce,
                        header: UnsafeRawBufferPointer(start: hash, count: Bytes32.length),
                        payload: base + start, length: length)
                }
            }
            guard sealed else { throw .backend(operation: "AEAD of the handshake") }
        }
        try unsafe mix(hash: message.span.bytes.extracting(start..<message.count))
    }

    /// DecryptAndHash: returns the plaintext of `ciphertext` (which has a tag once there is a key).
    mutating func decryptAndHash(
        _ ciphertext: RawSpan, part: String
    ) throws(CryptoError) -> [UInt8] {
        var bytes = unsafe ciphertext.withUnsafeBytes { unsafe Array($0) }
        if let key {
            let length = bytes.count &- Crypto.tagLength
            guard length >= 0 else {
                throw .messageTooShort(needed: Crypto.tagLength, found: bytes.count)
            }
            var context = try AEADContext(suite: cipher.suite, key: key)
            let nonce = try takeNonce()
            let opened = unsafe hash.withBytes { hash in
                unsafe bytes.withUnsafeMutableBufferPointer { bytes in
                    guard let base = bytes.baseAddress else { return false }
                    return unsafe context.open(
                        nonceHigh: 0, nonceLow: nonce,
                        header: UnsafeRawBufferPointer(start: hash, count: Bytes32.length),
                        payload: base, length: length)
                }
            }
            guard opened else { throw .authenticationFailed(part: part) }
            bytes.removeLast(Crypto.tagLength)
        }
        try mix(hash: ciphertext)
        return bytes
    }

    /// Split: the secrets of the initiator's and of the responder's sending direction.
    func split() throws(CryptoError) -> (SecretBytes, SecretBytes) {
        try unsafe Crypto.noiseHKDF(
            chainingKey: chainingKey, input: UnsafeBufferPointer(start: nil, count: 0))
    }

    /// An authenticator that only the two sides can make at this point of the handshake.
    ///
    /// Its key is derived from ck with a label of its own, so it reveals nothing about other keys.
    func authenticator(of message: RawSpan, label: String) throws(CryptoError) -> Bytes32 {
        let key = try Crypto.expandLabel(chainingKey, label: label, length: SecretBytes.length)
        return try Crypto.hmac(key: key, message, hash.storage.span.bytes)
    }

    private mutating func takeNonce() throws(CryptoError) -> UInt64 {
        guard counter < .max else { throw .nonceExhausted }
        defer { counter &+= 1 }
        return cipher.nonce(counter)
    }
}
