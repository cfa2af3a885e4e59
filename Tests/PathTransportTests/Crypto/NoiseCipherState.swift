@testable import PathTransport

/// Noise's CipherState after `split`: transport messages of one direction, in order.
///
/// Pathwise's own packets carry their number and may be lost, so nothing but the published test
/// vectors, whose messages follow the handshake, needs it.
struct NoiseCipherState: ~Copyable {
    private var context: AEADContext
    private let cipher: NoiseCipher
    private var counter: UInt64 = 0

    /// Errors: `backend` when libcrypto lacks memory or the algorithm.
    init(cipher: NoiseCipher, secret: TrafficSecret) throws(CryptoError) {
        self.cipher = cipher
        context = try AEADContext(suite: cipher.suite, key: secret.secret)
    }

    /// The message with its tag.
    ///
    /// Errors: `messageTooLong`, `nonceExhausted`, `backend`.
    mutating func encrypt(_ plaintext: [UInt8]) throws(CryptoError) -> [UInt8] {
        guard plaintext.count <= NoiseHandshake.messageLimit &- Crypto.tagLength else {
            throw .messageTooLong(found: plaintext.count &+ Crypto.tagLength)
        }
        guard counter < .max else { throw .nonceExhausted }
        var message = plaintext
        message.append(contentsOf: repeatElement(0, count: Crypto.tagLength))
        let nonce = cipher.nonce(counter)
        let sealed = unsafe message.withUnsafeMutableBufferPointer { message in
            guard let base = message.baseAddress else { return false }
            return unsafe context.seal(
                nonceHigh: 0, nonceLow: nonce,
                header: UnsafeRawBufferPointer(start: nil, count: 0), payload: base,
                length: plaintext.count)
        }
        guard sealed else { throw .backend(operation: "AEAD of a transport message") }
        counter &+= 1
        return message
    }

    /// The plaintext of the next message in order; a forged one does not advance the counter.
    ///
    /// Errors: `messageTooShort`, `messageTooLong`, `nonceExhausted`, `authenticationFailed`.
    mutating func decrypt(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
        let length = message.count &- Crypto.tagLength
        guard length >= 0 else {
            throw .messageTooShort(needed: Crypto.tagLength, found: message.count)
        }
        guard message.count <= NoiseHandshake.messageLimit else {
            throw .messageTooLong(found: message.count)
        }
        guard counter < .max else { throw .nonceExhausted }
        var plaintext = message
        let nonce = cipher.nonce(counter)
        let opened = unsafe plaintext.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return false }
            return unsafe context.open(
                nonceHigh: 0, nonceLow: nonce,
                header: UnsafeRawBufferPointer(start: nil, count: 0), payload: base,
                length: length)
        }
        guard opened else { throw .authenticationFailed(part: "the transport message") }
        counter &+= 1
        plaintext.removeLast(Crypto.tagLength)
        return plaintext
    }
}
