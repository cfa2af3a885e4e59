internal import CCrypto

/// 32 secret bytes that are wiped when the last owner lets go.
///
/// Immutable once made.
@safe package final class SecretBytes: @unchecked Sendable {
    /// Length in bytes of every secret: keys, chaining keys, shared secrets.
    package static let length = 32

    private let base: UnsafeMutableRawPointer

    /// Zero bytes first, then whatever `fill` writes into them.
    init(
        fill: (UnsafeMutablePointer<UInt8>) throws(CryptoError) -> Void
    ) throws(CryptoError) {
        unsafe base = .allocate(byteCount: SecretBytes.length, alignment: 8)
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: SecretBytes.length)
        try unsafe fill(base.assumingMemoryBound(to: UInt8.self))
    }

    /// A copy of 32 bytes; nil for any other length.
    convenience init?(copying bytes: RawSpan) {
        guard bytes.byteCount == SecretBytes.length else { return nil }
        try? unsafe self.init { (target: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            for index in 0..<SecretBytes.length {
                unsafe target[index] = bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            }
        }
    }

    deinit {
        unsafe ccrypto_wipe(base, SecretBytes.length)
        unsafe base.deallocate()
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

/// 32 bytes that are not secret: digests and public keys.
package struct Bytes32: Sendable {
    package static let length = 32

    var storage: InlineArray<32, UInt8>

    init() { storage = InlineArray(repeating: 0) }

    /// A copy of 32 bytes; nil for any other length.
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
