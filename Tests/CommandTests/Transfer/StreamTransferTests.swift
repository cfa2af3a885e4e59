import Glibc
import Testing

/// Standard streams, pipes, signals and full disks: what each side reports, and when.
@Suite(.serialized) struct StreamTransferTests {
    private static let isRoot = getuid() == 0

    private func digits(_ text: [UInt8]) -> Int {
        zip(text, text.dropFirst()).count { $0 != $1 }
    }

    @Test func twoClientsToStandardOutputAreNeverMixed() throws {
        let keys = try KeyPairs()
        let sources = ["1", "2"].map { keys.folder.file($0) }
        for (index, source) in sources.enumerated() {
            write(
                [UInt8](repeating: UInt8(ascii: "1") + UInt8(index), count: 8_000_000), to: source)
        }
        let receiver = try ListeningReceiver(keys, output: "-")
        let senders = try sources.map { try keys.send([$0], to: receiver) }
        for sender in senders { #expect(sender.wait().status == 0) }
        receiver.process.interrupt()
        let received = receiver.process.wait()
        #expect(received.output.utf8.count == 16_000_000)
        #expect(digits(Array(received.output.utf8)) == 1)
        #expect(received.errors.contains("received 2 of 2 items"))
    }

    @Test func argumentsKeepTheirOrderOnStandardOutput() throws {
        let keys = try KeyPairs()
        let sources = (0..<40).map { keys.folder.file("f\($0)") }
        var expected: [UInt8] = []
        for (index, source) in sources.enumerated() {
            let bytes = content(index * 3_000 + 1, seed: UInt64(index)).map { $0 & 0x3f + 0x30 }
            write(bytes, to: source)
            expected += bytes
        }
        let receiver = try ListeningReceiver(keys, output: "-", "--once")
        #expect(try keys.send(sources, to: receiver).wait().status == 0)
        #expect(Array(receiver.process.wait().output.utf8) == expected)
    }

    @Test func aReaderThatGoesAwayEndsBothSides() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(30_000_000), to: source)
        let process = try Pathwise(
            [
                "receive", "--listen", "127.0.0.1:0", "--key", keys.serverFile, "--allow",
                keys.client, "--output", "-",
            ], shell: "{ \"$@\"; echo \"status $?\" >&2; } | head -c 1000 >/dev/null")
        var port = ""
        let listens = eventually {
            port =
                process.errorText.split(separator: "\n").first.map { String($0.dropFirst(13)) }
                ?? ""
            return process.errorText.hasSuffix("\n")
        }
        #expect(listens)
        let start = seconds()
        let sent = try Pathwise([
            "send", source, "--key", keys.clientFile, "--peer", keys.server, "--to", port,
        ]).wait()
        #expect(seconds() - start < 1.5)
        #expect(sent.status == 74, "\(sent.errors)")
        #expect(sent.errorLine?.contains("Broken pipe") == true, "\(sent.errors)")
        let received = process.wait()
        #expect(received.errors.contains("Broken pipe"), "\(received.errors)")
        #expect(received.errors.contains("status 74"), "\(received.errors)")
    }

    @Test func closedStandardStreamsAreSaidAtOnce() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(1000), to: source)
        let place = keys.folder.file("in/")
        let receiver = try ListeningReceiver(keys, output: place)
        let base =
            ["send", source, "--key", keys.clientFile, "--peer", keys.server] + receiver.to
        #expect(try Pathwise(base, shell: "exec \"$@\" <&- >&- 2>&-").wait().status == 74)
        let noOutput = try Pathwise(base, shell: "exec \"$@\" >&-").wait()
        #expect(noOutput.status == 74)
        #expect(noOutput.errorLine?.contains("standard output is closed") == true)
        let input =
            ["send", "-", "--key", keys.clientFile, "--peer", keys.server] + receiver.to
        let noInput = try Pathwise(input, shell: "exec \"$@\" <&-").wait()
        #expect(noInput.status == 74, "\(noInput.errors)")
        #expect(noInput.errorLine?.contains("standard input") == true, "\(noInput.errors)")
        let listen = [
            "receive", "--listen", "127.0.0.1:0", "--key", keys.serverFile, "--allow",
            keys.client, "--output", "-",
        ]
        #expect(try Pathwise(listen, shell: "exec \"$@\" <&- >&- 2>&-").wait().status == 74)
        let noPlace = try Pathwise(listen, shell: "exec \"$@\" >&-").wait()
        #expect(noPlace.status == 74)
        #expect(
            noPlace.errorLine
                == "pathwise: standard output is closed, and --output - writes the items there; "
                + "open it, or name a file or folder")
        receiver.process.interrupt()
        _ = receiver.process.wait()
        #expect(Scratch.names(in: place) == [])
    }

    /// A pipe without a writer, a pipe without data, standard input without data.
    @Test(arguments: [(0, SIGINT), (0, SIGTERM), (1, SIGINT), (2, SIGTERM)])
    func aSignalEndsAWaitForInput(kind: Int, signal: Int32) throws {
        let keys = try KeyPairs()
        let pipe = keys.folder.file("pipe")
        mkfifo(pipe, 0o600)
        let writer = kind == 0 ? -1 : open(pipe, O_RDWR | O_CLOEXEC)
        defer { if writer >= 0 { close(writer) } }
        let place = keys.folder.file("in/")
        let receiver = try ListeningReceiver(keys, output: place)
        let sender = try keys.send(
            [kind == 2 ? "-" : pipe], to: receiver, inputFile: kind == 2 ? pipe : nil)
        let hasBegun = eventually { !Scratch.names(in: place).isEmpty }
        #expect(hasBegun)
        let start = seconds()
        kill(sender.process, signal)
        #expect(sender.wait().status == 128 + signal)
        #expect(seconds() - start < 0.5)
        let isTold = eventually(within: 1) { Scratch.names(in: place).isEmpty }
        #expect(isTold)
        receiver.process.interrupt()
        #expect(receiver.process.wait().status == 130)
    }

    /// A receiver that ends also ends a sender that waits for its input.
    @Test func aWaitForInputEndsWithTheReceiver() throws {
        let keys = try KeyPairs()
        let pipe = keys.folder.file("pipe")
        mkfifo(pipe, 0o600)
        let place = keys.folder.file("in/")
        let receiver = try ListeningReceiver(keys, output: place)
        let sender = try keys.send([pipe], to: receiver)
        let hasBegun = eventually { !Scratch.names(in: place).isEmpty }
        #expect(hasBegun)
        let start = seconds()
        receiver.process.interrupt()
        _ = receiver.process.wait()
        #expect(sender.wait().status == 69)
        #expect(seconds() - start < 1)
    }

    @Test func aSecondClientOfOnceIsToldTheTruth() throws {
        let keys = try KeyPairs()
        let pipe = keys.folder.file("pipe")
        mkfifo(pipe, 0o600)
        let writer = open(pipe, O_RDWR | O_CLOEXEC)
        let source = keys.folder.file("data")
        write(content(1000), to: source)
        let place = keys.folder.file("in/")
        let receiver = try ListeningReceiver(keys, output: place, "--once")
        let first = try keys.send(["-"], to: receiver, inputFile: pipe)
        let hasBegun = eventually { !Scratch.names(in: place).isEmpty }
        #expect(hasBegun)
        let second = try keys.send([source], to: receiver).wait()
        #expect(second.status == 75)
        #expect(second.errorLine?.contains("takes one client (--once)") == true)
        var bytes = content(5000)
        _ = Glibc.write(writer, &bytes, bytes.count)
        close(writer)
        #expect(first.wait().status == 0)
        let received = receiver.process.wait()
        #expect(received.status == 0, "\(received.errors)")
        #expect(Scratch.names(in: place) == ["stdin"])
        #expect(received.output.contains("received 1 of 1 item,"))
    }

    @Test func aFailedItemDoesNotKeepAFileFromTheNext() throws {
        let keys = try KeyPairs()
        let pipe = keys.folder.file("pipe")
        mkfifo(pipe, 0o600)
        let source = keys.folder.file("data")
        write(content(100_000), to: source)
        let target = keys.folder.file("target")
        let receiver = try ListeningReceiver(keys, output: target)
        let first = try keys.send([pipe], to: receiver)
        let hasBegun = eventually {
            Scratch.names(in: keys.folder.path).contains { $0.hasPrefix(".pathwise-") }
        }
        #expect(hasBegun)
        first.interrupt()
        _ = first.wait()
        #expect(try keys.send([source], to: receiver).wait().status == 0)
        #expect(bytes(of: target) == content(100_000))
        receiver.process.interrupt()
        _ = receiver.process.wait()
    }

    @Test(.enabled(if: StreamTransferTests.isRoot, "needs root, to mount a small file system"))
    func aFullDiskEndsBothSidesAtOnce() throws {
        let keys = try KeyPairs()
        let place = keys.folder.file("in")
        mkdir(place, 0o755)
        try #require(mount("tmpfs", place, "tmpfs", 0, "size=20m") == 0)
        defer { umount2(place, Int32(MNT_DETACH)) }
        let (small, large) = (keys.folder.file("small"), keys.folder.file("large"))
        write(content(1000), to: small)
        // More than fits into the windows of flow control.
        write(content(60_000_000), to: large)
        let receiver = try ListeningReceiver(keys, output: place, "--once")
        let start = seconds()
        let sent = try keys.send([large, small], to: receiver).wait()
        let received = receiver.process.wait()
        #expect(seconds() - start < 3)
        #expect(sent.status == 74)
        #expect(sent.errors.contains("large: the receiver did not store it: cannot write"))
        #expect(sent.errors.contains("No space left on device"), "\(sent.errors)")
        #expect(received.status == 74)
        #expect(received.errors.contains("No space left on device"), "\(received.errors)")
        // What has arrived is named, and sending the file again continues after it.
        let hint =
            "what has arrived is kept, and sending the same file again continues after it"
        #expect(sent.errors.contains(hint), "\(sent.errors)")
        #expect(received.output.contains("\(hint)  (the part is \(place)/.pathwise-"))
        #expect(bytes(of: place + "/small") == content(1000))
        #expect(access(place + "/large", F_OK) != 0)
        try #require(mount("tmpfs", place, "tmpfs", UInt(MS_REMOUNT), "size=80m") == 0)
        let second = try ListeningReceiver(keys, output: place, "--once")
        let again = try keys.send([large], to: second, "--json").wait()
        _ = second.process.wait()
        #expect(again.status == 0, "\(again.errors)")
        let resumed = try JSONReading(again).number("items", 0, "resumed_from")
        #expect(resumed >= 10_000_000, "\(resumed)")
        let isSame = bytes(of: place + "/large") == content(60_000_000)
        #expect(isSame)
    }

    /// Resident memory does not grow with the number of items, on either side.
    @Test func memoryIsFlatOverManyItems() throws {
        let keys = try KeyPairs()
        let root = keys.folder.file("many")
        mkdir(root, 0o755)
        let count = 6000
        for index in 0..<count { write([UInt8(index & 0xff), 1], to: root + "/\(index)") }
        let place = keys.folder.file("in/")
        let receiver = try ListeningReceiver(keys, output: place, "--no-sync")
        let sender = try keys.send([root], to: receiver, "--json")
        var sizes: [Double] = []
        var peak = 0.0
        while true {
            peak = max(peak, residentMegabytes(sender.process))
            sizes.append(residentMegabytes(receiver.process.process))
            if sender.hasEnded { break }
            usleep(20_000)
        }
        let sent = sender.wait()
        #expect(sent.status == 0)
        #expect(try JSONReading(sent).number("items_stored") == Double(count + 1))
        #expect(Scratch.names(in: place + "many").count == count)
        #expect(peak < 60, "sender: \(peak) MB")
        #expect((sizes.max() ?? 0) < 60, "receiver: \(sizes.max() ?? 0) MB")
        receiver.process.interrupt()
        _ = receiver.process.wait()
    }
}
