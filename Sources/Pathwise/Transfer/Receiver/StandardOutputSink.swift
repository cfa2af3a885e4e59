internal import Glibc
internal import PathTransport

/// Standard output as the place of an item.
///
/// For one task at a time. A reader that does not take its bytes holds no thread.
final class StandardOutputSink: ContentSink, @unchecked Sendable {
    /// What a pipe that is ready takes without waiting: pipe(7), PIPE_BUF.
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
