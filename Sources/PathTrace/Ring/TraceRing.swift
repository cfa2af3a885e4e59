import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A bounded ring buffer that passes records from one thread to the writer.
///
/// One thread records, and the writer's thread drains. Recording takes no lock, makes no system
/// call and allocates nothing; a record that does not fit is counted and dropped, so that the
/// packet path never waits for the disk. A simulation in virtual time uses `.wait` instead.
public final class TraceRing: @unchecked Sendable {
    /// What happens to a record when the ring is full.
    public enum WhenFull: Sendable {
        /// The record is dropped and counted.
        case drop
        /// The producer waits for the writer; only for producers that are not bound to real time.
        case wait
    }

    /// How many records of each kind were dropped since the ring was made.
    public struct Drops: Hashable, Sendable {
        public var decisions: UInt64 = 0
        public var outcomes: UInt64 = 0
        public var samples: UInt64 = 0
        /// Events, and paths added and removed.
        public var events: UInt64 = 0

        public var total: UInt64 { decisions &+ outcomes &+ samples &+ events }
    }

    private let storage: UnsafeMutableRawPointer
    let capacity: Int
    private let whenFull: WhenFull

    // The producer's and the consumer's positions, on separate cache lines.
    private let positions: UnsafeMutablePointer<Positions>
    // Only the producer's thread accesses these two.
    @exclusivity(unchecked) private var published: Int = 0
    @exclusivity(unchecked) private var consumedAtLeast: Int = 0

    private struct Positions: ~Copyable {
        let head = Atomic<Int>(0)
        let padHead = InlineArray<15, Int>(repeating: 0)
        let tail = Atomic<Int>(0)
        let padTail = InlineArray<15, Int>(repeating: 0)
        let isOpen = Atomic<Bool>(true)
        let decisions = Atomic<UInt64>(0)
        let outcomes = Atomic<UInt64>(0)
        let samples = Atomic<UInt64>(0)
        let events = Atomic<UInt64>(0)
    }

    /// - Parameter bytes: room for records; rounded up to a power of two, at least 64 KiB.
    init(bytes: Int, whenFull: WhenFull) {
        var size = 1 << 16
        while size < bytes, size < 1 << 34 { size <<= 1 }
        capacity = size
        self.whenFull = whenFull
        storage = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 128)
        // Every page is touched now, so that recording causes no page faults.
        storage.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        positions = UnsafeMutablePointer<Positions>.allocate(capacity: 1)
        positions.initialize(to: Positions())
    }

    deinit {
        positions.deinitialize(count: 1)
        positions.deallocate()
        storage.deallocate()
    }

    /// The drops so far; any thread may read them.
    public var drops: Drops {
        Drops(
            decisions: positions.pointee.decisions.load(ordering: .relaxed),
            outcomes: positions.pointee.outcomes.load(ordering: .relaxed),
            samples: positions.pointee.samples.load(ordering: .relaxed),
            events: positions.pointee.events.load(ordering: .relaxed))
    }

    // MARK: Producer

    /// Reserves a frame of `bytes` and writes its header; nil if it has to be dropped.
    @inline(__always)
    func reserve(_ bytes: Int, kind: FrameKind, session: SessionID) -> FrameCursor? {
        let offset = published & (capacity &- 1)
        let untilEnd = capacity &- offset
        let padding = untilEnd < bytes ? untilEnd : 0
        guard hasRoom(for: bytes &+ padding) else {
            count(kind)
            return nil
        }
        var cursor = FrameCursor(pointer: storage + offset)
        if padding > 0 {
            cursor.put(UInt32(padding).littleEndian)
            cursor.put(UInt32(FrameKind.padding.rawValue).littleEndian)
            published &+= padding
            cursor.pointer = storage
        }
        cursor.put(UInt32(bytes).littleEndian)
        cursor.put(UInt32(kind.rawValue).littleEndian)
        cursor.put(session.rawValue.littleEndian)
        cursor.put(UInt32(0))
        return cursor
    }

    /// Passes the last reserved frame to the writer.
    @inline(__always)
    func publish(_ bytes: Int) {
        published &+= bytes
        positions.pointee.head.store(published, ordering: .releasing)
    }

    private func hasRoom(for bytes: Int) -> Bool {
        guard positions.pointee.isOpen.load(ordering: .relaxed), bytes <= capacity else {
            return false
        }
        if published &+ bytes &- consumedAtLeast <= capacity { return true }
        consumedAtLeast = positions.pointee.tail.load(ordering: .acquiring)
        while published &+ bytes &- consumedAtLeast > capacity {
            guard whenFull == .wait, positions.pointee.isOpen.load(ordering: .relaxed) else {
                return false
            }
            usleep(200)
            consumedAtLeast = positions.pointee.tail.load(ordering: .acquiring)
        }
        return true
    }

    /// Counts a dropped record.
    func count(_ kind: FrameKind) {
        switch kind {
        case .decision: positions.pointee.decisions.add(1, ordering: .relaxed)
        case .outcome: positions.pointee.outcomes.add(1, ordering: .relaxed)
        case .sample: positions.pointee.samples.add(1, ordering: .relaxed)
        case .event, .pathAdded, .pathRemoved, .padding:
            positions.pointee.events.add(1, ordering: .relaxed)
        }
    }

    // MARK: Consumer

    /// Refuses (and counts) every record from now on.
    func close() { positions.pointee.isOpen.store(false, ordering: .relaxed) }

    /// The producer's position: everything before it is readable.
    var head: Int { positions.pointee.head.load(ordering: .acquiring) }

    /// Everything before this position was drained.
    var tail: Int { positions.pointee.tail.load(ordering: .relaxed) }

    /// Passes the frames before the position `end` to `body` in order, about `limit` bytes at most,
    /// and frees their room.
    ///
    /// - Returns: the number of bytes drained.
    func drain(
        upTo end: Int, limit: Int,
        _ body: (FrameKind, SessionID, UnsafeRawPointer) throws(TraceError) -> Void
    ) throws(TraceError) -> Int {
        let start = tail
        var position = start
        defer { positions.pointee.tail.store(position, ordering: .releasing) }
        while position < end, position &- start < limit {
            let frame = UnsafeRawPointer(storage + (position & (capacity &- 1)))
            let length = Int(UInt32(littleEndian: frame.load(as: UInt32.self)))
            let code = UInt32(littleEndian: frame.load(fromByteOffset: 4, as: UInt32.self))
            if let kind = FrameKind(rawValue: UInt8(truncatingIfNeeded: code)), kind != .padding {
                let session = UInt32(littleEndian: frame.load(fromByteOffset: 8, as: UInt32.self))
                try body(kind, SessionID(rawValue: session), frame + FrameLayout.headerBytes)
            }
            position &+= length
        }
        return position &- start
    }
}
