import Glibc
import Testing

/// How `send` and `receive` handle items: names, kinds, places, conflicts, failures.
@Suite(.serialized) struct ItemTransferTests {
    private func information(_ path: String) -> stat {
        var information = stat()
        lstat(path, &information)
        return information
    }

    private func set(_ path: String, time: Int, nanoseconds: Int = 123_456_789) {
        var times = [
            timespec(tv_sec: time, tv_nsec: nanoseconds),
            timespec(tv_sec: time, tv_nsec: nanoseconds),
        ]
        utimensat(AT_FDCWD, path, &times, AT_SYMLINK_NOFOLLOW)
    }

    /// Sends to a receiver of one client and waits for both to end.
    private func transfer(
        _ keys: KeyPairs, _ inputs: [String], to place: String, sender: [String] = [],
        receiver more: [String] = []
    ) throws -> (sent: Finished, received: Finished) {
        let receiver = try ListeningReceiver(keys, output: place, ["--once"] + more)
        let sent = try Pathwise(
            ["send"] + inputs + ["--key", keys.clientFile, "--peer", keys.server] + receiver.to
                + sender
        ).wait()
        return (sent, receiver.process.wait())
    }

    @Test func everyKindOfThingArrivesOrIsNamed() throws {
        let keys = try KeyPairs()
        let root = keys.folder.file("d")
        mkdir(root, 0o755)
        mkdir(root + "/sub", 0o755)
        write([1], to: root + "/file")
        write([], to: root + "/empty")
        write(content(3_000_000), to: root + "/sub/large")
        symlink("file", root + "/link")
        symlink("nowhere", root + "/broken")
        symlink("/etc", root + "/sub/outside")
        mkfifo(root + "/pipe", 0o600)
        let odd = "caf\u{e9}\n\u{1b}[31m"
        write([2], to: root + "/" + odd)
        let longest = [
            String(repeating: "n", count: 248), String(repeating: "o", count: 255),
        ]
        for name in longest { write([3], to: root + "/" + name) }
        // A name that is not UTF-8: a single 0xe9.
        let bare = Array((root + "/bare").utf8CString.dropLast()) + [CChar(bitPattern: 0xe9), 0]
        close(open(bare, O_CREAT | O_WRONLY, 0o640))
        chmod(root + "/file", 0o600)
        chmod(root + "/sub", 0o750)
        for (index, name) in ["/file", "/sub/large", "/link", "/sub"].enumerated() {
            set(root + name, time: 1_580_601_600 + index)
        }
        set(root, time: 1_500_000_000)
        let place = keys.folder.file("in")
        let (sent, received) = try transfer(keys, [root], to: place)
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(received.status == 0, "\(received.errors)")
        #expect(sent.output.contains("left out: d/pipe, which is a pipe"))
        #expect(Scratch.names(in: place) == ["d"])
        #expect(
            Scratch.names(in: place + "/d").sorted()
                == Scratch.names(in: root).filter { $0 != "pipe" }.sorted())
        #expect(bytes(of: place + "/d/sub/large") == content(3_000_000))
        for (name, target) in [("link", "file"), ("broken", "nowhere"), ("sub/outside", "/etc")] {
            var room = [CChar](repeating: 0, count: 100)
            let length = readlink(place + "/d/" + name, &room, 99)
            #expect(room[..<max(0, length)].map { UInt8(bitPattern: $0) } == Array(target.utf8))
        }
        for name in ["/file", "/sub/large", "/link", "/sub", "", "/empty", "/" + longest[1]] {
            let (from, to) = (information(root + name), information(place + "/d" + name))
            #expect(from.st_mode == to.st_mode, "\(name)")
            #expect(from.st_mtim.tv_sec == to.st_mtim.tv_sec, "\(name)")
            #expect(from.st_mtim.tv_nsec == to.st_mtim.tv_nsec, "\(name)")
        }
        let there =
            Array((place + "/d/bare").utf8CString.dropLast()) + [CChar(bitPattern: 0xe9), 0]
        #expect(access(there, F_OK) == 0)
        let kinds = received.output.split(separator: "\n").map { $0.split(separator: " ") }
        for (path, kind) in [
            ("d", "folder"), ("d/sub", "folder"), ("d/link", "link"), ("d/file", "file"),
        ] {
            let line = kinds.first { $0.last.map(String.init) == place + "/" + path }
            #expect(line?.dropFirst(2).prefix(2).map(String.init) == ["stored", kind], "\(path)")
        }
        // Control characters do not reach the log, and it has one line per item.
        #expect(!received.output.contains("\u{1b}"))
        #expect(received.output.contains("\\x0a\\x1b[31m"))
        #expect(received.output.contains("bare\\xe9"))

        // Sending the same again is no conflict, and only changed items are stored.
        write([9, 9], to: root + "/file")
        let second = try transfer(keys, [root], to: place, sender: ["--json"])
        #expect(second.sent.status == 0)
        let json = try JSONReading(second.sent)
        for index in 0..<(try json.count("items")) {
            let name = try json.text("items", index, "name")
            let kind =
                [
                    "d": "folder", "d/sub": "folder", "d/link": "link", "d/broken": "link",
                    "d/sub/outside": "link", "d/pipe": nil,
                ][name] ?? "file"
            if name == "d/pipe" { continue }
            #expect(try json.text("items", index, "kind") == kind, "\(name)")
            let outcome = name == "d/file" ? "stored" : "was there"
            #expect(try json.text("items", index, "outcome") == outcome, "\(name)")
            if name == "d/file" {
                #expect(try json.text("items", index, "stored_as") == "d/file.1")
            }
        }
        #expect(second.received.output.contains("was there  folder  \(place)/d/sub\n"))
        #expect(Scratch.names(in: place + "/d").count == Scratch.names(in: root).count)
        #expect(bytes(of: place + "/d/file") == [1])
        #expect(bytes(of: place + "/d/file.1") == [9, 9])
    }

    @Test func holesStayHoles() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("disk.img")
        let file = open(source, O_RDWR | O_CREAT, 0o644)
        var piece = content(100_000)
        pwrite(file, &piece, piece.count, 0)
        pwrite(file, &piece, piece.count, 40 << 20)
        ftruncate(file, 100 << 20)
        close(file)
        try #require(information(source).st_blocks * 512 < 10 << 20, "the file system has no holes")
        let (sent, received) = try transfer(
            keys, [source], to: keys.folder.file("copy"), sender: ["--json"])
        #expect(sent.status == 0 && received.status == 0, "\(sent.errors) \(received.errors)")
        let copy = information(keys.folder.file("copy"))
        #expect(copy.st_size == 100 << 20)
        #expect(copy.st_blocks * 512 < 10 << 20)
        #expect(bytes(of: keys.folder.file("copy")) == bytes(of: source))
        // The holes did not cross the network.
        let json = try JSONReading(sent)
        #expect(try json.number("paths", 0, "bytes_sent") < 5_000_000)
    }

    @Test func oneBadItemIsNamedAndTheOthersArrive() throws {
        let keys = try KeyPairs()
        let root = keys.folder.file("m")
        mkdir(root, 0o755)
        for index in 0..<30 { write(content(60_000, seed: UInt64(index)), to: root + "/f\(index)") }
        let place = keys.folder.file("in")
        for path in [place, place + "/m", place + "/m/f20", place + "/m/f20/x"] {
            mkdir(path, 0o755)
        }
        let (sent, received) = try transfer(
            keys, [root, keys.folder.file("missing")], to: place, sender: ["--json"],
            receiver: ["--json", "--on-conflict", "refuse"])
        #expect(sent.status == 74)
        #expect(sent.errors.contains("not sent: m/f20: "), "\(sent.errors)")
        #expect(sent.errors.contains("missing: No such file"), "\(sent.errors)")
        #expect(sent.errors.contains("2 of 32 items were not sent"), "\(sent.errors)")
        for index in 0..<30 where index != 20 {
            #expect(bytes(of: place + "/m/f\(index)") == content(60_000, seed: UInt64(index)))
        }
        let json = try JSONReading(sent)
        #expect(try json.count("items") == 32)
        let outcomes = try (0..<32).map { try json.text("items", $0, "outcome") }
        // The folder was there before.
        #expect(outcomes.count { $0 == "stored" } == 29)
        #expect(outcomes.count { $0 == "was there" } == 1)
        #expect(try json.number("items_failed") == 2)
        let bad = try #require(outcomes.firstIndex(of: "failed"))
        #expect(try json.text("items", bad, "problem").contains(":"))
        // One line per item, and one about all.
        #expect(received.status == 74, "\(received.errors)")
        let lines = received.output.split(separator: "\n")
        #expect(lines.count == 32)
        #expect(lines.count { $0.contains("\"outcome\":\"failed\"") } == 1)
        #expect(lines.last?.contains("\"event\":\"summary\"") == true)
        #expect(lines.last?.contains("\"items_stored\":30") == true)
    }

    @Test func aFileThatGrowsIsCutAndOneThatShrinksFails() throws {
        let keys = try KeyPairs()
        let log = keys.folder.file("log")
        write(content(20_000_000), to: log)
        let place = keys.folder.file("in/")
        let receiver = try ListeningReceiver(keys, output: place)
        // It takes two seconds, slow enough to write to the file meanwhile.
        let slow = ["--path", "lo=lo,limit=80mbit"]
        let growing = try Pathwise(
            ["send", log, "--key", keys.clientFile, "--peer", keys.server] + receiver.to + slow)
        let hasBegun = eventually { !Scratch.names(in: place).isEmpty }
        #expect(hasBegun)
        let file = open(log, O_WRONLY | O_APPEND)
        var more = content(5_000_000, seed: 3)
        _ = Glibc.write(file, &more, more.count)
        close(file)
        let grown = growing.wait()
        #expect(grown.status == 0, "\(grown.errors)")
        #expect(grown.output.contains("log: it grew while it was sent"), "\(grown.output)")
        #expect(bytes(of: place + "log") == content(20_000_000))

        let shrinking = try Pathwise(
            ["send", log, "--key", keys.clientFile, "--peer", keys.server] + receiver.to + slow)
        let hasBegunAgain = eventually { Scratch.names(in: place).count == 2 }
        #expect(hasBegunAgain)
        truncate(log, 1_000_000)
        let shrunk = shrinking.wait()
        #expect(shrunk.status == 74)
        #expect(
            shrunk.errorLine?.contains("log had 25000000 bytes when it was opened") == true,
            "\(shrunk.errors)")
        receiver.process.interrupt()
        #expect(receiver.process.wait().output.contains("the sender gave it up"))
    }

    @Test(arguments: ["rename", "refuse", "replace"])
    func namesThatAreTaken(rule: String) throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("n")
        write([1, 2, 3], to: source)
        let place = keys.folder.file("in")
        mkdir(place, 0o755)
        write([9], to: place + "/n")
        write([8], to: place + "/n.1")
        let (sent, received) = try transfer(
            keys, [source], to: place, receiver: ["--on-conflict", rule])
        switch rule {
        case "rename":
            #expect(sent.status == 0 && received.status == 0)
            #expect(sent.output.contains("n was stored as n.2"))
            #expect(bytes(of: place + "/n.2") == [1, 2, 3])
            #expect(bytes(of: place + "/n") == [9])
        case "refuse":
            #expect(sent.status == 73 && received.status == 73)
            #expect(sent.errorLine?.contains("File exists") == true, "\(sent.errors)")
            #expect(Scratch.names(in: place) == ["n", "n.1"])
            #expect(bytes(of: place + "/n") == [9])
        default:
            #expect(sent.status == 0 && received.status == 0)
            #expect(Scratch.names(in: place) == ["n", "n.1"])
            #expect(bytes(of: place + "/n") == [1, 2, 3])
        }
    }

    /// Files and links go beside a folder that has their name, or nowhere; never into its place.
    @Test(arguments: ["rename", "refuse", "replace"])
    func namesThatFoldersHave(rule: String) throws {
        let keys = try KeyPairs()
        let root = keys.folder.file("d")
        let place = keys.folder.file("in")
        mkdir(root, 0o755)
        for path in [
            place, place + "/d", place + "/d/small", place + "/d/large", place + "/d/link",
        ] {
            mkdir(path, 0o755)
        }
        write([1, 2, 3], to: root + "/small")
        write(content(200_000), to: root + "/large")
        symlink("small", root + "/link")
        let (sent, received) = try transfer(
            keys, [root], to: place, receiver: ["--on-conflict", rule])
        for name in ["small", "large", "link"] {
            #expect(information(place + "/d/" + name).st_mode & S_IFMT == S_IFDIR)
        }
        guard rule == "rename" else {
            #expect(sent.status == 74 && received.status == 74)
            #expect(sent.errors.contains("a folder of that name is there"), "\(sent.errors)")
            #expect(Scratch.names(in: place + "/d") == ["large", "link", "small"])
            return
        }
        #expect(sent.status == 0 && received.status == 0, "\(sent.errors)")
        #expect(bytes(of: place + "/d/small.1") == [1, 2, 3])
        #expect(bytes(of: place + "/d/large.1") == content(200_000))
        #expect(information(place + "/d/link.1").st_mode & S_IFMT == S_IFLNK)
        // Items with a number are found again.
        let again = try transfer(keys, [root], to: place)
        #expect(again.sent.status == 0)
        #expect(
            Scratch.names(in: place + "/d")
                == ["large", "large.1", "link", "link.1", "small", "small.1"])
    }

    /// A receiver may write into the folder that is sent; its unfinished files are left out.
    @Test func unfinishedFilesAreLeftOut() throws {
        let keys = try KeyPairs()
        let root = keys.folder.file("d")
        mkdir(root, 0o755)
        mkdir(root + "/in", 0o755)
        write(content(3_000_000), to: root + "/a-large")
        // The remains of an interrupted transfer.
        let part = ".pathwise-" + String(repeating: "0a", count: 16) + ".part"
        write([1], to: root + "/in/" + part)
        let similar = [
            ".pathwise-0a.part", part + "s",
            ".pathwise-" + String(repeating: "0g", count: 16) + ".part",
        ]
        for name in similar { write([2], to: root + "/in/" + name) }
        let (sent, received) = try transfer(
            keys, [root], to: root + "/in", sender: ["--path", "lo=lo,limit=20mbit"])
        #expect(sent.status == 0 && received.status == 0, "\(sent.errors) \(received.errors)")
        #expect(sent.output.contains("left out: d/in/\(part), which is an unfinished file"))
        #expect(
            Scratch.names(in: root + "/in/d/in").filter { $0.hasPrefix(".pathwise") }
                == similar.sorted())
        // A part that is named explicitly is sent.
        let place = keys.folder.file("named")
        mkdir(place, 0o755)
        #expect(try transfer(keys, [root + "/in/" + part], to: place).sent.status == 0)
        #expect(bytes(of: place + "/" + part) == [1])
    }

    @Test func placesByTheirRules() throws {
        let keys = try KeyPairs()
        let (a, b) = (keys.folder.file("a"), keys.folder.file("b"))
        write([1], to: a)
        write([2], to: b)
        let root = keys.folder.file("d")
        mkdir(root, 0o755)
        write([3], to: root + "/x")
        // For a missing path, one file gets that name, and several files make it a folder.
        let file = keys.folder.file("file")
        #expect(try transfer(keys, [a], to: file).sent.status == 0)
        #expect(bytes(of: file) == [1])
        let several = keys.folder.file("several")
        #expect(try transfer(keys, [a, b], to: several).sent.status == 0)
        #expect(Scratch.names(in: several) == ["a", "b"])
        let folder = keys.folder.file("folder")
        let (sent, received) = try transfer(keys, [root], to: folder)
        #expect(sent.status == 0)
        #expect(bytes(of: folder + "/d/x") == [3])
        #expect(received.output.contains("folder/d/x") && !received.output.contains("//"))
        let slash = keys.folder.file("slash/")
        #expect(try transfer(keys, [a], to: slash).received.output.contains("slash/a\n"))
        #expect(bytes(of: slash + "a") == [1])
        // Several items do not fit into a file.
        let refused = try transfer(keys, [a, b], to: file)
        #expect(refused.sent.status == 74)
        #expect(refused.sent.errors.contains("is a file; receive into a folder"))
        #expect(bytes(of: file) == [1])
        // A second item for one file gets a number; after one that failed, too.
        #expect(try transfer(keys, [b], to: file).sent.status == 0)
        #expect(bytes(of: file + ".1") == [2])
    }
}
