import Glibc
import PathLearning
import PathTelemetry
import PathTransport
import Testing

@testable import Pathwise

/// The folder of keys and lists, and the files in it.
struct StateTests {
    private let scratch = Folders()

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func theFolderIsForItsOwnerOnly() throws {
        let path = scratch.path + "/deep/er/state"
        let folder = try StateFolder(path + "/")
        #expect(folder.path == path)
        #expect(mode(path) == 0o700)
        #expect(mode(scratch.path + "/deep") == 0o700)
        chmod(path, 0o750)
        #expect(throws: StateError.self) { try StateFolder(path) }
        do {
            _ = try StateFolder(path)
        } catch {
            #expect(
                "\(error)".contains("has mode 0750") && "\(error)".contains("chmod go= \(path)"))
        }
    }

    @Test func aFileIsReplacedAsAWhole() throws {
        let folder = try StateFolder(scratch.path + "/s")
        #expect(try folder.read("clients") == nil)
        try folder.write([1, 2, 3], to: "clients")
        #expect(try folder.read("clients") == [1, 2, 3])
        #expect(mode(folder.file("clients")) == 0o600)
        let large = [UInt8](repeating: 7, count: 300_000)
        try folder.write(large, to: "clients")
        #expect(try folder.read("clients") == large)
        #expect(Folders.names(folder.path) == ["clients"])
        // The old content is still there when there is no room for the new one.
        #expect(throws: StateError.self) { try folder.write([1], to: "none/clients") }
        #expect(try folder.read("clients") == large)
    }

    /// What a killed writer left behind goes away with the next change.
    @Test func leftoversAreRemoved() throws {
        let folder = try StateFolder(scratch.path + "/s")
        write([1], to: folder.file(String(decoding: TemporaryName.unguessable(), as: UTF8.self)))
        write([1], to: folder.file("mine.part"))
        #expect(Folders.names(folder.path).count == 2)
        try folder.changing { try folder.write([2], to: "clients") }
        #expect(Folders.names(folder.path) == [".lock", "clients", "mine.part"])
    }

    @Test func aHugeFileIsRefused() throws {
        let folder = try StateFolder(scratch.path + "/s")
        write([UInt8](repeating: 65, count: 1_100_000), to: folder.file("clients"))
        #expect(throws: StateError.self) { try folder.read("clients") }
    }

    @Test func oneServerAtATime() throws {
        let folder = try StateFolder(scratch.path + "/s")
        do {
            let lock = try folder.lockForServer()
            #expect(throws: StateError.self) { try folder.lockForServer() }
            lock.release()
        }
        // The file of the lock stays, and says nothing.
        _ = try folder.lockForServer()
    }

    // MARK: tokens that wait

    private func add(_ folder: StateFolder, name: String?, expires: UInt64) throws -> JoinToken {
        try PendingTokens.add(
            to: folder, server: PrivateKey.generate().publicKey, serverName: "studio",
            addresses: ["192.0.2.1:7000"], name: name, expires: expires, now: 1000)
    }

    @Test func aTokenIsTakenOnce() throws {
        let folder = try StateFolder(scratch.path + "/s")
        let van = try add(folder, name: "van", expires: 2000)
        let other = try add(folder, name: nil, expires: 2000)
        #expect(try PendingTokens(folder).entries.map(\.name) == ["van", nil])
        let key = van.enrolment.publicKey
        #expect(try PendingTokens.take(key, from: folder, now: 1999)?.name == "van")
        #expect(try PendingTokens.take(key, from: folder, now: 1999) == nil)
        #expect(try PendingTokens(folder).entries.map(\.key) == [other.enrolment.publicKey])
        // An expired one is worth nothing, and goes away.
        let late = other.enrolment.publicKey
        #expect(try PendingTokens.take(late, from: folder, now: 2000) == nil)
        #expect(try PendingTokens(folder).entries.isEmpty)
    }

    @Test func theSecretIsNotKept() throws {
        let folder = try StateFolder(scratch.path + "/s")
        let token = try add(folder, name: nil, expires: 2000)
        let text = String(decoding: try #require(try folder.read("tokens")), as: UTF8.self)
        #expect(text.contains(token.enrolment.publicKey.base64))
        #expect(try !text.contains(token.enrolment.base64))
    }

    @Test(arguments: [
        ("KEY", "line 2: write PUBLIC-KEY expires="), ("KEY expires=x", "line 2: write PUBLIC-KEY"),
        ("KEY expires=-1", "line 2: write PUBLIC-KEY"), ("KEY expires=1 name=a/b", "'a/b' cannot"),
        ("KEY expires=1 name=a more", "line 2: write"), ("nokey expires=1", "is not a public key"),
        ("KEY expires=99999999999999999999", "line 2: write PUBLIC-KEY"),
    ])
    func badLinesOfTokens(line: String, problem: String) throws {
        let key = try PrivateKey.generate().publicKey.base64
        let content = Array(
            "# tokens\n\(line.replacing("KEY", with: key, maxReplacements: 1))\n".utf8)
        let tokens = PendingTokens(content, file: "/f/tokens")
        #expect(tokens.entries.isEmpty)
        #expect(tokens.problems.map { "\($0)".contains(problem) } == [true])
    }

    /// The other lines count, and the person who wrote the bad one finds it again.
    @Test func aBadLineOfTokensStopsNoOther() throws {
        let folder = try StateFolder(scratch.path + "/s")
        let token = try add(folder, name: "van", expires: 2000)
        let good = try #require(try folder.read("tokens"))
        try folder.write(Array("a mistake # mine\n".utf8) + good, to: "tokens")
        let key = token.enrolment.publicKey
        let tokens = try PendingTokens(folder)
        #expect(tokens.entries.map(\.key) == [key])
        #expect(tokens.problems.count == 1)
        _ = try add(folder, name: nil, expires: 3000)
        #expect(try PendingTokens.take(key, from: folder, now: 1000)?.name == "van")
        let text = String(decoding: try #require(try folder.read("tokens")), as: UTF8.self)
        #expect(text.split(separator: "\n")[1] == "a mistake")
        #expect(try PendingTokens(folder).entries.count == 1)
    }

    // MARK: changes of files

    @Test func aFileIsReportedWhenItRests() throws {
        let path = scratch.path + "/f"
        write(Array("a".utf8), to: path)
        var watch = FileWatch([path, scratch.path + "/none"], requests: 3)
        #expect(watch.look(requests: 3) == .nothing)
        #expect(watch.look(requests: 3) == .changed)
        #expect(watch.look(requests: 3) == .nothing)
        write(Array("ab".utf8), to: path)
        #expect(watch.look(requests: 3) == .nothing)
        write(Array("abc".utf8), to: path)
        #expect(watch.look(requests: 3) == .nothing, "it has changed since the look before")
        #expect(watch.look(requests: 3) == .changed)
        #expect(watch.look(requests: 4) == .asked)
        #expect(watch.look(requests: 4) == .nothing)
        unlink(path)
        #expect(watch.look(requests: 4) == .nothing)
        #expect(watch.look(requests: 4) == .changed)
    }

    // MARK: profiles

    private func profile(_ name: String) throws -> ClientProfile {
        try ClientProfile(
            name: name, server: PrivateKey.generate().publicKey,
            addresses: ["127.0.0.1:7000", "[::1]:7000"], key: PrivateKey.generate(),
            presharedKey: PresharedKey.generate())
    }

    /// Stores a profile as `join` does: nothing finds it before it has its name.
    private func save(_ profile: ClientProfile, in folder: StateFolder) throws {
        let known = try ClientProfile.exists(profile.name, in: folder)
        try profile.prepare(in: folder)
        #expect(try ClientProfile.exists(profile.name, in: folder) == known)
        try profile.finish(in: folder)
    }

    @Test func aProfileIsKept() throws {
        let folder = try StateFolder(scratch.path + "/s")
        let kept = try profile("studio")
        #expect(try !ClientProfile.exists("studio", in: folder))
        try save(kept, in: folder)
        #expect(try ClientProfile.exists("studio", in: folder))
        let path = ClientProfile.path(of: "studio", in: folder)
        #expect(mode(path) == 0o600)
        let read = try ClientProfile.load("studio", from: folder)
        #expect(read.server == kept.server)
        #expect(read.addresses == kept.addresses)
        #expect(try read.key.base64 == kept.key.base64)
        #expect(read.presharedKey?.base64 == kept.presharedKey?.base64)
        #expect(try ClientProfile.load(from: folder).name == "studio")
        let options = try read.options(policy: .earliest)
        #expect(options.identity.peer == kept.server)
        #expect(
            options.planner?.remotes == [
                .loopback(port: 7000),
                SocketAddress(
                    ipv6High: 0, low: 1, port: 7000),
            ])
        chmod(path, 0o640)
        let error = #expect(throws: StateError.self) {
            try ClientProfile.load("studio", from: folder)
        }
        #expect(error.map { "\($0)".contains("has mode 0640") } == true)
    }

    @Test func theProfileIsChosen() throws {
        let folder = try StateFolder(scratch.path + "/s", creates: false)
        func text(_ name: String?) throws -> String {
            do {
                _ = try ClientProfile.load(name, from: folder)
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(try text(nil).hasPrefix("no server is known; join one with 'pathwise join TOKEN'"))
        #expect(access(folder.path, F_OK) != 0)
        let state = try StateFolder(scratch.path + "/s")
        try save(profile("a"), in: state)
        try save(profile("b"), in: state)
        #expect(try text(nil) == "several servers are known: a, b; choose one with --server")
        #expect(try text("c") == "no server is known as 'c'; known are: a, b")
        #expect(try text("../a") == "no server is known as '../a'; known are: a, b")
        #expect(throws: StateError.self) { try profile(".lock") }
        #expect(throws: StateError.self) { try profile("a/b") }
    }

    /// An address that cannot be resolved does not keep the others from being used.
    @Test func someAddressesAreEnough() throws {
        let found = try ClientProfile.resolve(["no.such.name.invalid:1", "127.0.0.1:7000"])
        #expect(found == [.loopback(port: 7000)])
        #expect(throws: SessionError.self) { try ClientProfile.resolve(["no.such.invalid:1"]) }
    }
}
