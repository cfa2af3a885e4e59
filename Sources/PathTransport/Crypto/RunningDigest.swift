internal import CCrypto

/// An incremental SHA-256 (FIPS 180-4).
public struct RunningDigest: ~Copyable {
    /// Length of the result, bytes.
    public static let length = 32

    private let context: OpaquePointer

    /// Errors: `backend` when libcrypto lacks memory or the algorithm.
    public init() throws(CryptoError) {
        guard let context = unsafe ccrypto_digest_new() else {
            throw .backend(operation: "SHA-256")
        }
        unsafe self.context = context
    }

    deinit { unsafe ccrypto_digest_free(context) }

    /// Takes the next piece.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) {
        guard !bytes.isEmpty else { return }
        guard unsafe ccrypto_digest_update(context, bytes.baseAddress, bytes.count) == 1 else {
            throw .backend(operation: "SHA-256")
        }
    }

    /// The digest of everything so far; more data may follow.
    public func current() throws(CryptoError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: RunningDigest.length)
        let done = unsafe digest.withUnsafeMutableBufferPointer {
            unsafe ccrypto_digest_current(context, $0.baseAddress)
        }
        guard done == 1 else { throw .backend(operation: "SHA-256") }
        return digest
    }

    /// The digest of everything so far; nothing can be added afterwards.
    public consuming func finish() throws(CryptoError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: RunningDigest.length)
        let done = unsafe digest.withUnsafeMutableBufferPointer {
            unsafe ccrypto_digest_finish(context, $0.baseAddress)
        }
        guard done == 1 else { throw .backend(operation: "SHA-256") }
        return digest
    }
}
