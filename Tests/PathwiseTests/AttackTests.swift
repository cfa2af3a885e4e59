import Glibc
import PathTransport
import Testing

@testable import Pathwise

/// An admitted client that sends arbitrary data.
@Suite(.serialized) struct AttackTests {
    private func header(
        _ name: String, _ kind: TransferHeader.Kind = .file, size: UInt64 = 1,
        target: String = "", isEager: Bool = true
    ) -> TransferHeader {
        TransferHeader(
            kind: kind, isOneOfSeveral: true, isEager: isEager, mode: 0o644,
            modified: FileTime(seconds: 1_600_000_000, nanoseconds: 0), size: size,
            name: ItemName(bytes: Array(name.utf8)), target: Array(target.utf8))
    }

    private func digest(_ bytes: [UInt8]) throws -> [UInt8] {
        var digest = try RunningDigest()
        try bytes.withUnsafeBytes { try digest.update($0) }
        return try digest.finish()
    }

    /// Sends an item as these bytes; returns the receiver's result.
    private func send(_ session: Session, _ bytes: [UInt8]) async throws -> TransferResult {
        let stream = try session.openStream()
        try await stream.write(bytes)
        try stream.finish()
        return try await TransferReader(stream).result()
    }

    private func send(
        _ session: Session, _ header: TransferHeader, _ content: [UInt8]
    ) async throws -> TransferResult {
        let frames = content.isEmpty ? [] : ContentFrame.data(content.count).encoded() + content
        return try await send(
            session, header.encoded() + frames + ContentFrame.end(digest(content)).encoded())
    }

    @Test func nothingLeavesTheFolder() async throws {
        let folders = Folders()
        let inside = folders.path + "/in"
        mkdir(inside, 0o755)
        mkdir(folders.path + "/out", 0o755)
        write([7], to: folders.path + "/out/victim")
        // The receiver's own link, and one that the client makes.
        symlink("../out", inside + "/mine")
        symlink("../out/victim", inside + "/file")
        let host = try Loopback(place: .path(Array(inside.utf8), isFolder: true))
        let session = try await host.connect()
        for name in ["../x", "/tmp/x", "a/../../x", "..", ".", "a//x", "x/", "a/./x"] {
            let result = try await send(session, header(name), [1])
            #expect(result.outcome == .failed, "\(name)")
        }
        let link = try await send(
            session, header("theirs", .link, size: 0, target: "../out"), [])
        #expect(link.outcome == .stored)
        for name in ["mine/x", "theirs/x", "mine/victim", "theirs/sub/x"] {
            let result = try await send(session, header(name), [1])
            #expect(result.outcome == .failed, "\(name)")
            #expect(result.text.contains("link"), "\(result.text)")
        }
        let folder = try await send(session, header("theirs/made", .directory, size: 0), [])
        #expect(folder.outcome == .failed)
        // A link with the file's name is not followed: the item gets a number.
        let file = try await send(session, header("file"), [1])
        #expect(file.outcome == .stored)
        #expect(file.name.bytes == Array("file.1".utf8))
        #expect(Folders.names(folders.path) == ["in", "out"])
        #expect(Folders.names(folders.path + "/out") == ["victim"])
        #expect(content(of: folders.path + "/out/victim") == [7])
        #expect(Folders.names(inside) == ["file", "file.1", "mine", "theirs"])
        await session.close()
        await host.close()
    }

    @Test func replacingNeverWritesThroughALink() async throws {
        let folders = Folders()
        let inside = folders.path + "/in"
        mkdir(inside, 0o755)
        write([7], to: folders.path + "/victim")
        symlink("../victim", inside + "/file")
        mkdir(inside + "/folder", 0o755)
        let host = try Loopback(
            place: .path(Array(inside.utf8), isFolder: true), onConflict: .replace)
        let session = try await host.connect()
        let file = try await send(session, header("file"), [1])
        #expect(file.outcome == .stored)
        #expect(content(of: folders.path + "/victim") == [7])
        #expect(content(of: inside + "/file") == [1])
        let folder = try await send(session, header("folder"), [1])
        #expect(folder.outcome == .failed)
        #expect(folder.text.contains("folder"))
        #expect(Folders.names(inside) == ["file", "folder"])
        await session.close()
        await host.close()
    }

    @Test func contentThatIsNotWhatWasAnnouncedIsNotStored() async throws {
        let folders = Folders()
        let host = try Loopback(place: .path(Array(folders.path.utf8), isFolder: true))
        let session = try await host.connect()
        let good: [UInt8] = [1, 2, 3]
        let data = ContentFrame.data(3).encoded() + good
        let end = ContentFrame.end(try digest(good)).encoded()
        func head(_ size: UInt64) -> [UInt8] { header("x", size: size).encoded() }
        let cases: [(String, [UInt8])] = [
            ("another digest", head(3) + data + ContentFrame.end(try digest([9])).encoded()),
            ("fewer bytes", head(4) + data + end),
            ("more bytes", head(2) + data + end),
            ("no end", head(3) + data),
            ("a hole beyond the size", head(3) + ContentFrame.hole(64 << 20).encoded() + end),
            ("a huge hole", head(1 << 62) + ContentFrame.hole(1 << 61).encoded() + end),
            ("a huge piece", head(1 << 62) + [1, 0xff, 0xff, 0xff, 0xff]),
            ("a proof", head(3) + ContentFrame.proof(try digest(good)).encoded()),
            ("an unknown frame", head(3) + [99]),
            ("a size beyond what files have", head(1 << 63) + data + end),
            ("a pipe with a size", header("x", .pipe, size: 3).encoded() + data + end),
            ("a link without a target", header("x", .link, size: 0).encoded() + end),
            ("half a header", Array(head(3).prefix(9))),
        ]
        for (what, bytes) in cases {
            let result = try await send(session, bytes)
            #expect(result.outcome == .failed, "\(what)")
            #expect(Folders.names(folders.path) == [], "\(what)")
        }
        let given = try await send(
            session, head(3) + data + ContentFrame.abort("the disk\u{1b}[2J broke").encoded())
        #expect(given.reason == .givenUp)
        #expect(given.text.contains("\\x1b[2J broke"))
        let stored = try await send(session, head(3) + data + end)
        #expect(stored.outcome == .stored)
        #expect(content(of: folders.path + "/x") == good)
        await session.close()
        await host.close()
    }

    @Test func aSenderOfTheFormerVersionIsToldInItsOwnWords() async throws {
        let folders = Folders()
        let host = try Loopback(place: .path(Array(folders.path.utf8), isFolder: true))
        let session = try await host.connect()
        let stream = try session.openStream()
        try await stream.write(Array("PWT1".utf8) + [UInt8](repeating: 0, count: 13))
        try stream.finish()
        let reader = TransferReader(stream)
        let answer = try await reader.take(43)
        #expect(answer[0] == 1)
        #expect(answer.number(at: 41, width: 2) > 20)
        await session.close()
        await host.close()
    }

    /// A client that knows only name, size and time of a file must not learn its content.
    @Test func aFileOfAnotherClientIsNotDisclosed() async throws {
        let folders = Folders()
        let secret = [UInt8](repeating: 5, count: 3 << 20)
        write(secret, to: folders.path + "/plan")
        var times = [timespec(tv_sec: 1_600_000_000, tv_nsec: 0), timespec()]
        times[1] = times[0]
        utimensat(AT_FDCWD, folders.path + "/plan", &times, 0)
        let host = try Loopback(place: .path(Array(folders.path.utf8), isFolder: true))
        let session = try await host.connect()
        let stream = try session.openStream()
        let reader = TransferReader(stream)
        try await stream.write(
            header("plan", size: UInt64(secret.count), isEager: false).encoded())
        #expect(try await reader.answer() == .prove(UInt64(secret.count)))
        let guess = ContentFrame.proof([UInt8](repeating: 0, count: 32)).encoded()
        try await stream.write(guess + guess + guess)
        #expect(try await reader.answer() == .start(0))
        stream.cancel(code: 1)
        await session.close()
        await host.close()
        #expect(content(of: folders.path + "/plan") == secret)
    }
}
