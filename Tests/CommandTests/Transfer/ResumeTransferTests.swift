import Glibc
import Testing

/// Transfers that were cut, and go on where they were.
@Suite(.serialized) struct ResumeTransferTests {
    private static let block = 1 << 20
    private let size = 24_000_000

    /// Bytes of the unfinished item in a folder.
    private func part(in folder: String) -> Int {
        for name in Scratch.names(in: folder) where name.hasPrefix(".pathwise-") {
            var information = stat()
            if stat(folder + "/" + name, &information) == 0 { return Int(information.st_size) }
        }
        return 0
    }

    /// Sends the same again and checks what crossed the network.
    private func goOn(_ keys: KeyPairs, _ source: String, _ place: String, from part: Int) throws {
        let receiver = try ListeningReceiver(keys, output: place, "--once")
        let sent = try keys.send([source], to: receiver, "--json").wait()
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(receiver.process.wait().status == 0)
        #expect(bytes(of: place + "/data") == content(size))
        #expect(Scratch.names(in: place) == ["data"])
        let json = try JSONReading(sent)
        let resumed = Int(try json.number("items", 0, "resumed_from"))
        // At most one block is sent twice.
        #expect(resumed > part - Self.block && resumed <= part, "\(resumed) of \(part)")
        var wire = 0.0
        for index in 0..<(try json.count("paths")) {
            wire += try json.number("paths", index, "bytes_sent")
        }
        #expect(wire < Double(size - resumed) * 1.1 + 500_000)
    }

    private enum Cut: String, CaseIterable {
        case senderKilled, receiverKilled, senderEnded, silence
    }

    @Test(arguments: [0, 1, 2, 3])
    func goesOnWhereItWas(cut: Int) throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(size), to: source)
        let place = keys.folder.file("in")
        mkdir(place, 0o755)
        let receiver = try ListeningReceiver(keys, output: place, "--idle-timeout", "1s")
        // Two seconds of sending.
        let sender = try keys.send(
            [source], to: receiver, "--path", "lo=lo,limit=100mbit", "--idle-timeout", "1s")
        let isHalf = eventually { part(in: place) > size / 2 }
        #expect(isHalf)
        switch Cut.allCases[cut] {
        case .senderKilled:
            kill(sender.process, SIGKILL)
            _ = sender.wait()
            // The receiver has to notice, and to keep what it has.
            let isNoticed = eventually { receiver.process.output.contains("failed") }
            #expect(isNoticed)
            receiver.process.interrupt()
            #expect(receiver.process.wait().output.contains("(the part is "))
        case .receiverKilled:
            kill(receiver.process.process, SIGKILL)
            _ = receiver.process.wait()
            #expect(sender.wait().status == 69)
        case .senderEnded:
            sender.interrupt()
            #expect(sender.wait().status == 130)
            receiver.process.interrupt()
            _ = receiver.process.wait()
        case .silence:
            // Nobody hears the other for longer than the time-out.
            kill(receiver.process.process, SIGSTOP)
            #expect(sender.wait().status == 69)
            kill(receiver.process.process, SIGCONT)
            let isNoticed = eventually { receiver.process.output.contains("failed") }
            #expect(isNoticed)
            receiver.process.interrupt()
            _ = receiver.process.wait()
        }
        #expect(access(place + "/data", F_OK) != 0)
        let left = part(in: place)
        #expect(left > size / 2 - Self.block && left < size)
        try goOn(keys, source, place, from: left)
    }

    /// What was left and does not fit is dropped from where it differs.
    @Test func aPartThatDiffersIsSentAgainFromThere() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(size), to: source)
        let place = keys.folder.file("in")
        mkdir(place, 0o755)
        let receiver = try ListeningReceiver(keys, output: place, "--idle-timeout", "1s")
        let sender = try keys.send([source], to: receiver, "--path", "lo=lo,limit=100mbit")
        let isHalf = eventually { part(in: place) > size / 2 }
        #expect(isHalf)
        sender.interrupt()
        _ = sender.wait()
        receiver.process.interrupt()
        _ = receiver.process.wait()
        let name = try #require(
            Scratch.names(in: place).first { $0.hasPrefix(".pathwise-") })
        // A byte in the sixth block changes.
        let file = open(place + "/" + name, O_WRONLY)
        var byte: UInt8 = content(size)[5 * Self.block + 7] ^ 1
        pwrite(file, &byte, 1, off_t(5 * Self.block + 7))
        close(file)
        try goOn(keys, source, place, from: 5 * Self.block)
    }

    /// The part belongs to the client that sent it.
    @Test func anotherClientDoesNotGoOnFromThePart() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(size), to: source)
        let place = keys.folder.file("in")
        mkdir(place, 0o755)
        let receiver = try ListeningReceiver(keys, output: place)
        let sender = try keys.send([source], to: receiver, "--path", "lo=lo,limit=100mbit")
        let isHalf = eventually { part(in: place) > size / 2 }
        #expect(isHalf)
        sender.interrupt()
        _ = sender.wait()
        receiver.process.interrupt()
        _ = receiver.process.wait()
        let other = keys.folder.file("other.key")
        let made = try Pathwise.run("keygen", other)
        let second = try Pathwise([
            "receive", "--listen", "127.0.0.1:0", "--key", keys.serverFile, "--allow",
            made.output.split(separator: "\n").first.map(String.init) ?? "", "--output", place,
            "--once",
        ])
        var port = ""
        let listens = eventually {
            port =
                second.errorText.split(separator: "\n").first.map { String($0.dropFirst(13)) } ?? ""
            return second.errorText.hasSuffix("\n")
        }
        #expect(listens)
        let sent = try Pathwise([
            "send", source, "--key", other, "--peer", keys.server, "--to", port, "--json",
        ]).wait()
        #expect(sent.status == 0, "\(sent.errors)")
        _ = second.wait()
        #expect(try JSONReading(sent).number("items", 0, "resumed_from") == 0)
        #expect(bytes(of: place + "/data") == content(size))
    }
}
