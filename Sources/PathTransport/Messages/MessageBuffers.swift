/// Buffers for messages, by slot; buffers that are not in use are kept for the next message.
struct MessageBuffers: ~Copyable {
    /// Sizes are powers of two from 2^11 to 2^16 bytes.
    private static let smallest = 11
    private static let largest = 16

    private var buffers: [UnsafeMutableRawBufferPointer?]
    private var idle: [[UnsafeMutableRawBufferPointer]]
    private var idleBytes = 0
    /// The most bytes in unused buffers.
    private let maximumIdleBytes: Int
    /// Bytes of the buffers in use.
    private(set) var usedBytes = 0

    init(slots: Int, maximumIdleBytes: Int) {
        unsafe buffers = Array(repeating: nil, count: slots)
        unsafe idle = Array(
            repeating: [], count: MessageBuffers.largest - MessageBuffers.smallest + 1)
        self.maximumIdleBytes = maximumIdleBytes
    }

    deinit {
        for buffer in unsafe buffers { unsafe buffer?.deallocate() }
        for kept in unsafe idle {
            for buffer in unsafe kept { unsafe buffer.deallocate() }
        }
    }

    /// Bytes of the buffer for a message.
    static func size(of bytes: Int) -> Int { 1 << (kind(of: bytes) + smallest) }

    /// Gives a slot a buffer; a message has at most 65,536 bytes.
    mutating func take(_ slot: Int, bytes: Int) {
        give(slot)
        let kind = MessageBuffers.kind(of: bytes)
        let size = 1 << (kind + MessageBuffers.smallest)
        usedBytes += size
        if let kept = unsafe idle[kind].popLast() {
            idleBytes -= size
            unsafe buffers[slot] = kept
        } else {
            unsafe buffers[slot] = .allocate(byteCount: size, alignment: 16)
        }
    }

    /// Takes the buffer of a slot back.
    mutating func give(_ slot: Int) {
        guard let buffer = unsafe buffers[slot] else { return }
        unsafe buffers[slot] = nil
        usedBytes -= buffer.count
        if idleBytes + buffer.count > maximumIdleBytes {
            unsafe buffer.deallocate()
        } else {
            idleBytes += buffer.count
            unsafe idle[MessageBuffers.kind(of: buffer.count)].append(buffer)
        }
    }

    /// Stores bytes in the buffer of a slot.
    func store(_ slot: Int, at offset: Int, _ bytes: UnsafeRawBufferPointer) {
        guard let buffer = unsafe buffers[slot] else { return }
        unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer[offset..<offset + bytes.count]
        ).copyMemory(from: bytes)
    }

    /// Fills the target with bytes of a slot.
    func load(_ slot: Int, at offset: Int, into target: UnsafeMutableRawBufferPointer) {
        guard let buffer = unsafe buffers[slot] else { return }
        unsafe target.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + target.count]))
    }

    private static func kind(of bytes: Int) -> Int {
        let bits = Int.bitWidth - max(0, bytes - 1).leadingZeroBitCount
        return min(max(bits, smallest), largest) - smallest
    }
}

// Only this value owns the buffers, so it may move to another thread.
extension MessageBuffers: @unchecked Sendable {}
