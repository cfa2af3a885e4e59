import Glibc
import PathTelemetry
import PathTransport
import Testing

@testable import PathNetwork
@testable import Pathwise

/// What sessions remember of their paths, in a process and in the state folder.
@Suite struct PathMemoryTests {
    private static let local = SocketAddress(ipv4: 0x0a00_0001, port: 0)
    private static let remote = SocketAddress(ipv4: 0x0a00_0002, port: 7000)

    private func path(_ interface: String?, _ bytes: Int = 500_000, ago: Int64 = 0) -> KnownPath {
        KnownPath(
            KnownPath.Route(interface: interface, local: Self.local, remote: Self.remote),
            SavedCapacity(bytes: bytes, roundTrip: .milliseconds(80)),
            measuredAt: KnownPath.now() - ago)
    }

    private func withFolder(_ body: (StateFolder) throws -> Void) throws {
        var template = Array("/tmp/pathwise-memory-XXXXXX".utf8CString)
        let name = try #require(mkdtemp(&template).map { String(cString: $0) })
        let folder = try StateFolder(name)
        defer {
            for file in ["known-paths", ".lock"] { unlink(folder.file(file)) }
            rmdir(name)
        }
        try body(folder)
    }

    /// A later process gets it, once; what another server's lines say stays.
    @Test func theStateFolderKeepsIt() throws {
        let (server, other) = (
            try PrivateKey.generate().publicKey, try PrivateKey.generate().publicKey
        )
        let ipv6 = KnownPath(
            KnownPath.Route(
                interface: nil, local: try #require(SocketAddress(parsing: "[fe80::1%2]:0")),
                remote: try #require(SocketAddress(parsing: "[2001:db8::1]:7000"))),
            SavedCapacity(bytes: 1_234_567, roundTrip: .microseconds(123_456)),
            measuredAt: KnownPath.now())
        let (first, second) = (path("wlan0"), path("eth0", 700_000, ago: 60))
        try withFolder { folder in
            let memory = PathMemory(of: server, in: folder)
            #expect(memory.takeAll(of: server) == [])
            memory.add([first, ipv6], of: server)
            memory.add([second], of: other)
            try memory.save()
            var status = stat()
            #expect(stat(folder.file("known-paths"), &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            let next = PathMemory(of: server, in: folder)
            #expect(Set(next.takeAll(of: server)) == [first, ipv6])
            #expect(PathMemory(of: server, in: folder).takeAll(of: server) == [])
            #expect(PathMemory(of: other, in: folder).takeAll(of: other) == [second])
        }
    }

    /// Root leaves nothing in the folder of another user, and follows no link there.
    @Test(.enabled(if: geteuid() == 0, "only root may use the folder of another user"))
    func foreignFoldersStayAsTheyAre() throws {
        let server = try PrivateKey.generate().publicKey
        try withFolder { folder in
            try #require(chown(folder.path, 65_534, 65_534) == 0)
            let memory = PathMemory(of: server, in: folder)
            memory.add([path("wlan0")], of: server)
            try memory.save()
            #expect(try folder.names() == [])
            #expect(access(folder.file(".lock"), F_OK) != 0)
        }
    }

    /// A link in place of the lock is not followed, and what it names is not made.
    @Test func theLockFollowsNoLink() throws {
        try withFolder { folder in
            let elsewhere = folder.path + "-elsewhere"
            try #require(symlink(elsewhere, folder.file(".lock")) == 0)
            #expect(throws: StateError.self) { try folder.changing {} }
            #expect(access(elsewhere, F_OK) != 0)
            try #require(unlink(folder.file(".lock")) == 0)
            try folder.changing {}
        }
    }

    /// Old measurements are not written, and a newer one replaces that of the same way.
    @Test func onlyTheNewestIsKept() throws {
        let server = try PrivateKey.generate().publicKey
        try withFolder { folder in
            let memory = PathMemory(of: server, in: folder)
            memory.add([path("wlan0", ago: 3_700), path("eth0", 600_000, ago: 100)], of: server)
            try memory.save()
            let newer = path("eth0", 400_000)
            let second = PathMemory()
            second.add([newer], of: server)
            try second.save()
            let third = PathMemory(of: server, in: folder)
            #expect(third.takeAll(of: server).map(\.saved.bytes) == [600_000])
            third.add([path("eth0", 600_000, ago: 100)], of: server)
            third.add([newer], of: server)
            #expect(third.takeAll(of: server) == [newer])
            third.add((0..<100).map { path("w\($0)", ago: Int64($0)) }, of: server)
            let kept = third.takeAll(of: server)
            #expect(kept.count == 64)
            #expect(kept.first?.route.interface == "w0")
        }
    }

    /// Lines that nobody writes are as if they were not there.
    @Test func damagedLinesAreLeftOut() throws {
        let server = try PrivateKey.generate().publicKey
        let good = path("wlan0")
        let rest = "10.0.0.1:0 10.0.0.2:7000"
        let time = good.measuredAt
        let lines = [
            "\(server.base64) wlan0 \(rest) bytes=500000 round-trip=80000us at=\(time)",
            "\(server.base64) wlan1 \(rest) bytes=0 round-trip=80000us at=\(time)",
            "\(server.base64) wlan1 \(rest) bytes=9999999999999999999 round-trip=80000us at=\(time)",
            "\(server.base64) wlan1 \(rest) bytes=500000 round-trip=0us at=\(time)",
            "\(server.base64) wlan1 \(rest) bytes=500000 round-trip=80000 at=\(time)",
            "\(server.base64) wlan1 \(rest) bytes=500000 round-trip=80000us at=-1",
            "\(server.base64) wlan1 10.0.0.1 10.0.0.2:7000 bytes=5 round-trip=80000us at=\(time)",
            "\(server.base64) wlan1 \(rest) bytes=500000 round-trip=80000us", "nonsense", "\u{0}",
        ]
        try withFolder { folder in
            try folder.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: "known-paths")
            #expect(PathMemory(of: server, in: folder).takeAll(of: server) == [good])
            var random = SeededGenerator(seed: 1)
            for _ in 0..<200 {
                var bytes = Array(lines[0].utf8)
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: .min ... .max, using: &random)
                try folder.write(bytes, to: "known-paths")
                #expect(PathMemory(of: server, in: folder).takeAll(of: server).count <= 1)
            }
        }
    }

    /// A file that is no text or far too large, and a link to something else, are replaced.
    @Test func whatCannotBeReadIsReplaced() throws {
        let server = try PrivateKey.generate().publicKey
        let good = path("wlan0")
        for damage in 0..<3 {
            try withFolder { folder in
                let file = folder.file("known-paths")
                switch damage {
                case 0: try folder.write((0..<5_000).map { UInt8($0 % 256) }, to: "known-paths")
                case 1:
                    let descriptor = open(file, O_WRONLY | O_CREAT, 0o600)
                    #expect(ftruncate(descriptor, 100 << 20) == 0)
                    close(descriptor)
                default: #expect(symlink("/dev/zero", file) == 0)
                }
                let memory = PathMemory(of: server, in: folder)
                #expect(memory.takeAll(of: server) == [])
                memory.add([good], of: server)
                try memory.save()
                #expect(PathMemory(of: server, in: folder).takeAll(of: server) == [good])
            }
        }
    }

    /// A session takes what is known of its ways, and gives back what nothing spoke against.
    @Test func sessionsTakeAndGiveBack() async throws {
        let pair = try SessionPair()
        let memory = PathMemory()
        var options = pair.options()
        options.memory = memory
        let known = KnownPath(
            KnownPath.Route(
                interface: nil, local: .any(.ipv4, port: 0), remote: pair.server.localAddresses[0]),
            SavedCapacity(bytes: 500_000, roundTrip: .milliseconds(80)),
            measuredAt: KnownPath.now())
        memory.add([known], of: pair.key.publicKey)
        let session = try await Session.connect(options)
        #expect(memory.takeAll(of: pair.key.publicKey) == [], "the session has it")
        await session.close()
        await session.close()
        #expect(memory.takeAll(of: pair.key.publicKey) == [known])
        await pair.server.close()
    }
}
