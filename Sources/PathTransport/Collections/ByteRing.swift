/// Holds bytes of a stream in a ring, addressed by their offset in the stream.
///
/// The ring does not know where its content begins and ends: its owner says which offsets it holds,
/// at most `capacity` of them. The first `reserve` allocates storage; it doubles as needed up to
/// the given maximum, and `release` frees it.
struct ByteRing: ~Copyable {
    /// Least storage of a ring that holds anything; it grows at least fourfold up to the second size.
    static let initialCapacity = 4096
    private static let smallCapacity = 65_536

    /// The address that the allocator returned, and the first cache-line boundary in it.
    ///
    /// Asking the C library for aligned memory leaves about twice as much of its heap unused: 2.9
    /// to 7.4 MB instead of 1.7 to 3.8 MB after 5,000 rounds in which rings grow and are freed
    /// (glibc 2.36).
    private var allocation: UnsafeMutableRawPointer?
    private var base: UnsafeMutableRawPointer?
    private static let cacheLine = 64
    /// Bytes of storage now; zero or a power of two.
    private(set) var capacity = 0
    /// The most bytes of storage; a power of two.
    let maximumCapacity: Int

    /// - Parameter maximumCapacity: bytes, rounded up to a power of two; 4 KiB ... 1 TiB.
    init(maximumCapacity: Int) {
        self.maximumCapacity = ByteRing.powerOfTwo(atLeast: maximumCapacity)
        unsafe base = nil
        unsafe allocation = nil
    }

    deinit { unsafe allocation?.deallocate() }

    /// Allocates storage for `needed` bytes and keeps the bytes at the offsets in `held`.
    ///
    /// - Returns: false, with nothing changed, if that is more than the maximum.
    @discardableResult
    mutating func reserve(_ needed: Int, keeping held: Range<UInt64>) -> Bool {
        if needed <= capacity { return true }
        guard needed <= maximumCapacity else { return false }
        let least = max(
            ByteRing.initialCapacity, min(capacity &* 4, ByteRing.smallCapacity))
        let grown = max(min(least, maximumCapacity), ByteRing.powerOfTwo(atLeast: needed))
        resize(to: grown, keeping: held)
        return true
    }

    /// Gives storage back when at most an eighth of it is in use, and keeps what is held.
    ///
    /// A stream that caught up after an outage would otherwise keep the storage of the outage until
    /// it is empty. What is left is twice to four times what is held.
    mutating func shrink(keeping held: Range<UInt64>) {
        guard capacity > ByteRing.smallCapacity, held.count <= capacity / 8 else { return }
        resize(
            to: max(ByteRing.smallCapacity, ByteRing.powerOfTwo(atLeast: held.count &* 2)),
            keeping: held)
    }

    private mutating func resize(to size: Int, keeping held: Range<UInt64>) {
        let room = UnsafeMutableRawPointer.allocate(
            byteCount: size &+ ByteRing.cacheLine, alignment: 16)
        let fresh = unsafe room.alignedUp(toMultipleOf: ByteRing.cacheLine)
        if let old = unsafe base {
            var offset = held.lowerBound
            while offset < held.upperBound {
                let from = Int(truncatingIfNeeded: offset) & (capacity &- 1)
                let to = Int(truncatingIfNeeded: offset) & (size &- 1)
                let left = Int(truncatingIfNeeded: held.upperBound &- offset)
                let run = min(left, capacity &- from, size &- to)
                unsafe ByteRing.copy(old + from, to: fresh + to, count: run)
                offset &+= UInt64(run)
            }
            unsafe allocation?.deallocate()
        }
        unsafe allocation = room
        unsafe base = fresh
        capacity = size
    }

    /// Stores bytes at an offset; `reserve` must have allocated storage for everything that is
    /// held.
    mutating func store(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
        guard let base = unsafe base, let source = bytes.baseAddress else { return }
        precondition(bytes.count <= capacity, "more bytes than the ring has storage for")
        let from = Int(truncatingIfNeeded: offset) & (capacity &- 1)
        let run = min(bytes.count, capacity &- from)
        unsafe ByteRing.copy(source, to: base + from, count: run)
        if run < bytes.count {
            unsafe ByteRing.copy(source + run, to: base, count: bytes.count &- run)
        }
    }

    /// Fills the buffer with the bytes from an offset on; they must be held.
    func load(from offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
        guard let base = unsafe base, let target = buffer.baseAddress else { return }
        precondition(buffer.count <= capacity, "more bytes than the ring has storage for")
        let from = Int(truncatingIfNeeded: offset) & (capacity &- 1)
        let run = min(buffer.count, capacity &- from)
        unsafe ByteRing.copy(base + from, to: target, count: run)
        if run < buffer.count {
            unsafe ByteRing.copy(base, to: target + run, count: buffer.count &- run)
        }
    }

    /// Frees the storage; its content is lost.
    mutating func release() {
        unsafe allocation?.deallocate()
        unsafe allocation = nil
        unsafe base = nil
        capacity = 0
    }

    /// Copies in pieces below the size from which the C library uses `rep movsb`.
    ///
    /// On AMD's Zen that instruction takes about twice the time of the loop over vector registers.
    private static func copy(
        _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int
    ) {
        var done = 0
        while done < count {
            let run = min(2048, count &- done)
            unsafe copyPiece(source + done, to: target + done, count: run)
            done &+= run
        }
    }

    /// Not inlined, because the optimiser would merge the pieces into one copy again.
    @inline(never)
    private static func copyPiece(
        _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int
    ) {
        unsafe target.copyMemory(from: source, byteCount: count)
    }

    private static func powerOfTwo(atLeast bytes: Int) -> Int {
        let bounded = min(max(bytes, 4096), 1 << 40)
        return 1 << (Int.bitWidth - (bounded - 1).leadingZeroBitCount)
    }
}

// Only the ring owns the pointer, so the ring may move to another thread.
extension ByteRing: @unchecked Sendable {}
