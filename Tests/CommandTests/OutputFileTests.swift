import Glibc
import Testing

@testable import PathwiseCommand

/// Reports and exports are written completely or not at all, and through links.
struct OutputFileTests {
    private let scratch = Scratch()

    private func save(_ text: String, to path: String) throws {
        var file = try OutputFile(path)
        try file.write(text)
        try file.close()
    }

    private func target(of link: String) -> String {
        var room = [CChar](repeating: 0, count: 4096)
        let count = readlink(link, &room, room.count)
        return String(decoding: room[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func linksAreWrittenThrough() throws {
        mkdir(scratch.file("a"), 0o755)
        mkdir(scratch.file("b"), 0o755)
        // The links are dangling, lead to a file, lead to another link by a relative path, or are
        // absolute.
        symlink("made", scratch.file("dangling"))
        symlink("../b/next", scratch.file("a/first"))
        symlink("last", scratch.file("b/next"))
        write([7], to: scratch.file("b/last"))
        symlink(scratch.file("b/last"), scratch.file("absolute"))
        for (link, file, leads) in [
            ("dangling", "made", "made"), ("a/first", "b/last", "../b/next"),
            ("absolute", "b/last", scratch.file("b/last")),
        ] {
            try save("by \(link)", to: scratch.file(link))
            #expect(target(of: scratch.file(link)) == leads)
            #expect(target(of: scratch.file(file)).isEmpty)
            #expect(text(of: scratch.file(file)) == "by \(link)")
        }
        #expect(target(of: scratch.file("b/next")) == "last")
        #expect(Scratch.names(in: scratch.file("b")) == ["last", "next"])
        #expect(Scratch.names(in: scratch.path) == ["a", "absolute", "b", "dangling", "made"])
    }

    @Test func linksThatLeadNowhereAreRefused() throws {
        symlink("two", scratch.file("one"))
        symlink("one", scratch.file("two"))
        symlink("none/file", scratch.file("deep"))
        // The target cannot be created, so the error names it.
        let target = ", a symbolic link to '\(scratch.file("none/file"))'"
        for (name, link, reason) in [
            ("one", "", "form a loop"), ("deep", target, "make its folder first"),
        ] {
            do throws(CommandFailure) {
                _ = try OutputFile(scratch.file(name))
                Issue.record("\(name) was opened")
            } catch {
                #expect(error.status == .cannotCreate)
                #expect(error.message.contains("cannot create '\(scratch.file(name))'\(link): "))
                #expect(error.message.contains(reason), "\(error.message)")
            }
        }
        #expect(Scratch.names(in: scratch.path) == ["deep", "one", "two"])
    }

    @Test func whatIsNotFinishedLeavesWhatWasThere() throws {
        write(Array("before".utf8), to: scratch.file("report"))
        symlink("report", scratch.file("link"))
        do {
            var file = try OutputFile(scratch.file("link"))
            try file.write("half")
            // An unfinished report has only its own temporary name.
            #expect(Scratch.names(in: scratch.path).count == 3)
        }
        #expect(text(of: scratch.file("report")) == "before")
        #expect(Scratch.names(in: scratch.path) == ["link", "report"])
    }

    /// The temporary name does not contain the final one.
    @Test func theLongestNameIsTaken() throws {
        let name = String(repeating: "n", count: 255)
        try save("long", to: scratch.file(name))
        #expect(text(of: scratch.file(name)) == "long")
    }

    @Test func theCommandKeepsALinkToNothing() throws {
        var world = World(seed: 3)
        try world.write(5, to: scratch.file("t.trace"))
        symlink("export.csv", scratch.file("link"))
        let run = try Pathwise.run(
            "trace", "export", scratch.file("t.trace"), "--output", scratch.file("link"))
        #expect(run.status == 0, "\(run.errors)")
        #expect(target(of: scratch.file("link")) == "export.csv")
        #expect(text(of: scratch.file("export.csv")).split(separator: "\n").count == 6)
    }
}
