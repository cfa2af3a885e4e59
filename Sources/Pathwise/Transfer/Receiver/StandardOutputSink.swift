internal import Glibc
internal import PathTransport

/// Writes an item to standard output.
///
/// For one task at a time. A slow reader blocks no thread.
final class StandardOutputSink: ContentSink, @unchecked Sendable {
    /// Bytes that a ready pipe accepts without waiting: PIPE_BUF in pipe(7).
    private static let readyLength = 4096

    private(set) var offset: UInt64 = 0
    private var digest: RunningDigest
    private let file = OpenFile.standardOutput
    private let gate: PipeGate
    private let canBlock: Bool

    init(gate: PipeGate) throws {
        self.gate = gate
        digest = try RunningDigest()
        canBlock = file.canBlock
    }

    func append(_ bytes: UnsafeRawBufferPointer) async throws {
        try digest.update(bytes)
        var done = 0
        while done < bytes.count {
            var end = bytes.count
            if canBlock {
                guard await gate.wait(for: file, toWrite: true) else {
                    throw TransferError.forbidden(.givenUp, "the receiver was ended")
                }
                end = min(end, done + StandardOutputSink.readyLength)
            }
            let count = try file.writeSome(UnsafeRawBufferPointer(rebasing: bytes[done..<end]))
            done += count
            offset += UInt64(count)
        }
    }

    func append(zeros: UInt64) async throws {
        let page = [UInt8](repeating: 0, count: StandardOutputSink.readyLength)
        var left = zeros
        while left > 0 {
            let count = Int(min(left, UInt64(page.count)))
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
            defer { room.deallocate() }
            room.copyBytes(from: page[..<count])
            try await append(UnsafeRawBufferPointer(room))
            left -= UInt64(count)
        }
    }

    func currentDigest() throws -> [UInt8] { try digest.current() }
}
