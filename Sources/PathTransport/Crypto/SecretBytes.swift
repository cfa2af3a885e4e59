internal import CCrypto

/// 32 secret bytes that are wiped when the last owner releases them.
///
/// They are immutable. They lie in pages that core dumps leave out, that a forked child finds
/// empty, and that are not swapped out within the limit on locked memory.
@safe package final class SecretBytes: @unchecked Sendable {
    /// Length in bytes of every secret: keys, chaining keys, shared secrets.
    package static let length = 32

    private let base: UnsafeMutableRawPointer

    /// Makes zero bytes and lets `fill` write into them.
    init(
        fill: (UnsafeMutablePointer<UInt8>) throws(CryptoError) -> Void
    ) throws(CryptoError) {
        guard let memory = unsafe ccrypto_secret_allocate(SecretBytes.length) else {
            throw .backend(operation: "memory for a key")
        }
        unsafe base = memory
        try unsafe fill(base.assumingMemoryBound(to: UInt8.self))
    }

    /// Copies 32 bytes; nil for any other length.
    convenience init?(copying bytes: RawSpan) {
        guard bytes.byteCount == SecretBytes.length else { return nil }
        try? unsafe self.init { (target: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            for index in 0..<SecretBytes.length {
                unsafe target[index] = bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            }
        }
    }

    deinit {
        unsafe ccrypto_secret_free(base)
    }

    /// Lends the bytes for the length of a call; they must not be kept.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafePointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let pointer = unsafe UnsafePointer(base.assumingMemoryBound(to: UInt8.self))
        return try unsafe body(pointer)
    }

    /// A copy for a caller that must hand the bytes out (a key file).
    var array: [UInt8] {
        unsafe withBytes { bytes in
            unsafe Array(UnsafeBufferPointer(start: bytes, count: SecretBytes.length))
        }
    }
}

/// Settings for the memory that holds the keys of a process.
public enum KeyMemory {
    /// Lets libcrypto keep its contexts, with key schedules and private keys, in the same kind of
    /// memory as the keys: left out of core dumps, locked within the system's limit, wiped when
    /// freed.
    ///
    /// It affects all use of libcrypto in the process, so the program decides; the command calls it
    /// first. Processor registers and the stack of a running call are not covered.
    ///
    /// - Returns: false, with nothing changed, when libcrypto was used in this process before.
    @discardableResult
    public static func protectLibrary() -> Bool { ccrypto_secure_library() == 1 }
}

/// 32 bytes that are not secret: digests and public keys.
package struct Bytes32: Sendable {
    package static let length = 32

    var storage: InlineArray<32, UInt8>

    init() { storage = InlineArray(repeating: 0) }

    /// Copies 32 bytes; nil for any other length.
    init?(copying bytes: RawSpan) {
        guard bytes.byteCount == Bytes32.length else { return nil }
        storage = InlineArray { index in
            unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
        }
    }

    func withBytes<Result, Failure: Error>(
        _ body: (UnsafePointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe withUnsafePointer(to: storage) {
            (pointer: UnsafePointer<InlineArray<32, UInt8>>) throws(Failure) in
            try unsafe body(UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self))
        }
    }

    mutating func withMutableBytes<Result>(
        _ body: (UnsafeMutablePointer<UInt8>) -> Result
    ) -> Result {
        unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe body(UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt8.self))
        }
    }

    package var array: [UInt8] { (0..<Bytes32.length).map { storage[$0] } }
}
