import PathTelemetry
import Testing

@testable import PathTransport

/// A client that removes a path at once tells the server on that path.
@Suite struct FarewellTests {
    /// Removes a path of the client, which says so on the path itself; returns the datagram.
    private func remove(_ path: Int, of pair: inout ConnectionPair) throws -> [UInt8] {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
        defer { room.deallocate() }
        let now = pair.now
        let sent = pair.client.pollFarewell(of: PathID(path), into: room, now: now)
        let farewell = try #require(sent)
        #expect(farewell.length < 100 && farewell.path == PathID(path))
        let bytes = Array(UnsafeRawBufferPointer(rebasing: room[..<farewell.length]))
        pair.client.removePath(PathID(path), now: now)
        return bytes
    }

    /// The server stops sending on the only path, although no other one could tell it.
    @Test func theServerStopsSendingOnTheOnlyPath() throws {
        var pair = try ConnectionPair(traits: [PathTraits(rateLimit: 1e6)])
        pair.run(milliseconds: 50)
        let found = pair.box
        let box = try #require(found)
        try box.with { server in
            let stream = try server.openStream()
            _ = try [UInt8](repeating: 1, count: 1_000_000).withUnsafeBytes {
                try server.write(stream, $0)
            }
        }
        pair.run(milliseconds: 50)
        #expect(box.with { $0.state(of: PathID(0)) } == .active)
        pair.deliver(try remove(0, of: &pair), path: 0)
        #expect(box.with { $0.state(of: PathID(0)) } == .closed)
        let before = pair.bytes[0]
        pair.run(milliseconds: 3_000)
        #expect(pair.bytes[0] == before)
    }

    /// A path that was removed so comes back with the next one of its number.
    @Test func thePathComesBack() throws {
        var pair = try ConnectionPair()
        pair.run(milliseconds: 50)
        pair.deliver(try remove(1, of: &pair), path: 1)
        pair.run(milliseconds: 500)
        #expect(pair.box?.with { $0.state(of: PathID(1)) } == .closed)
        pair.client.addPath(
            PathID(1), socket: 1, remote: .loopback(port: 5001), datagramLimit: 1472, now: pair.now)
        pair.run(milliseconds: 500)
        #expect(pair.client.state(of: PathID(1)) == .active)
        #expect(pair.box?.with { $0.state(of: PathID(1)) } == .active)
    }
}
