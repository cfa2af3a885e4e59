internal import Glibc
internal import PathTransport

/// An existing file with an item's name, size and time, which is most likely the same.
///
/// Its content is not revealed: the sender has to prove that it has it.
struct Twin: Sendable {
    /// Most numbered names that are checked.
    static let mostTried = 1000

    let file: OpenFile
    let name: [UInt8]
    let size: UInt64

    /// The digest of its content; nil if it became shorter.
    func digest() async throws -> [UInt8]? {
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: TransferReader.largeCapacity, alignment: 64)
        defer { room.deallocate() }
        return try await RunningDigest.prefix(of: file, length: size, buffer: room)?.finish()
    }

    /// Its digest if all of the sender's proofs match, else nil.
    func proved(by proof: () async throws -> [UInt8]) async throws -> [UInt8]? {
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: TransferReader.largeCapacity, alignment: 64)
        defer { room.deallocate() }
        var digest = try RunningDigest()
        var offset: UInt64 = 0
        var matches = true
        for end in Blocks.ends(upTo: size) {
            let theirs = try await proof()
            guard matches else { continue }
            matches =
                try digest.update(file, offset..<end, buffer: room) == end - offset
                && digest.current() == theirs
            offset = end
        }
        return matches ? try digest.finish() : nil
    }
}
