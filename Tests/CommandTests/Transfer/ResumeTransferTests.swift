import Glibc
import Testing

/// Interrupted transfers that are resumed.
@Suite(.serialized) struct ResumeTransferTests {
    private static let block = 1 << 20
    private let size = 24_000_000

    /// Sends the same again and checks what crossed the network.
    private func goOn(_ keys: KeyPairs, _ source: String, _ place: String, from part: Int) throws {
        let receiver = try ListeningReceiver(keys, output: place, "--once")
        // Slow enough that the system does not drop datagrams of a busy machine.
        let sent = try keys.send([source], to: receiver, "--json", "--path", "lo=lo,limit=200mbit")
            .wait()
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

    /// A transfer of which more than half has arrived.
    private struct HalfWay {
        let keys: KeyPairs
        let source: String
        let place: String
        let receiver: ListeningReceiver
        let sender: Pathwise

        init(size: Int, idleTimeout: String = "1s") throws {
            keys = try KeyPairs()
            source = keys.folder.file("data")
            write(content(size), to: source)
            place = keys.folder.file("in")
            mkdir(place, 0o755)
            receiver = try ListeningReceiver(keys, output: place, "--idle-timeout", idleTimeout)
            // Two seconds of sending.
            sender = try keys.send(
                [source], to: receiver, "--path", "lo=lo,limit=100mbit", "--idle-timeout",
                idleTimeout)
            let isHalf = eventually { unfinishedBytes(in: place) > size / 2 }
            #expect(isHalf)
        }

        /// Ends both sides in order.
        func end() {
            sender.interrupt()
            let sent = sender.wait()
            #expect(sent.status == 130)
            #expect(sent.output.contains("the same command again continues after it"))
            receiver.process.interrupt()
            _ = receiver.process.wait()
        }
    }

    @Test(arguments: [0, 1, 2, 3])
    func goesOnWhereItWas(cut: Int) throws {
        let transfer = try HalfWay(size: size)
        let (receiver, sender) = (transfer.receiver, transfer.sender)
        switch Cut.allCases[cut] {
        case .senderKilled:
            kill(sender.process, SIGKILL)
            _ = sender.wait()
            // The receiver has to notice the end and keep its part.
            let isNoticed = eventually { receiver.process.output.contains("failed") }
            #expect(isNoticed)
            receiver.process.interrupt()
            #expect(receiver.process.wait().output.contains("(the part is "))
        case .receiverKilled:
            kill(receiver.process.process, SIGKILL)
            _ = receiver.process.wait()
            #expect(sender.wait().status == 69)
        case .senderEnded: transfer.end()
        case .silence:
            // Neither side receives anything for longer than the time-out.
            kill(receiver.process.process, SIGSTOP)
            #expect(sender.wait().status == 69)
            kill(receiver.process.process, SIGCONT)
            let isNoticed = eventually { receiver.process.output.contains("failed") }
            #expect(isNoticed)
            receiver.process.interrupt()
            _ = receiver.process.wait()
        }
        #expect(access(transfer.place + "/data", F_OK) != 0)
        let left = unfinishedBytes(in: transfer.place)
        #expect(left > size / 2 - Self.block && left < size)
        try goOn(transfer.keys, transfer.source, transfer.place, from: left)
    }

    /// The server has not noticed the end of a killed sender when the next one comes.
    @Test func thePartOfAKilledSenderIsTakenOverAtOnce() throws {
        let transfer = try HalfWay(size: size, idleTimeout: "30s")
        kill(transfer.sender.process, SIGKILL)
        _ = transfer.sender.wait()
        let left = unfinishedBytes(in: transfer.place)
        let start = ContinuousClock.now
        let sent = try transfer.keys.send([transfer.source], to: transfer.receiver, "--json").wait()
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(bytes(of: transfer.place + "/data") == content(size))
        #expect(Scratch.names(in: transfer.place) == ["data"])
        let resumed = Int(try JSONReading(sent).number("items", 0, "resumed_from"))
        #expect(resumed > left - Self.block, "\(resumed) of \(left)")
        transfer.receiver.process.interrupt()
        let output = transfer.receiver.process.wait().output
        #expect(output.contains("that transfer continues with what has arrived"), "\(output)")
    }

    /// A transfer that runs keeps its part, and the file is stored once though it is sent twice.
    @Test func aRunningTransferKeepsItsPart() throws {
        let transfer = try HalfWay(size: size, idleTimeout: "30s")
        let second = try transfer.keys.send([transfer.source], to: transfer.receiver, "--json")
            .wait()
        #expect(second.status == 0, "\(second.errors)")
        #expect(try JSONReading(second).number("items", 0, "resumed_from") == 0)
        let first = transfer.sender.wait()
        #expect(first.status == 0, "\(first.errors)")
        #expect(bytes(of: transfer.place + "/data") == content(size))
        #expect(Scratch.names(in: transfer.place) == ["data"])
        transfer.receiver.process.interrupt()
        _ = transfer.receiver.process.wait()
    }

    /// A part that differs is dropped from the first difference on.
    @Test func aPartThatDiffersIsSentAgainFromThere() throws {
        let transfer = try HalfWay(size: size)
        transfer.end()
        let name = try #require(
            Scratch.names(in: transfer.place).first { $0.hasPrefix(".pathwise-") })
        // A byte in the sixth block changes.
        let file = open(transfer.place + "/" + name, O_WRONLY)
        var byte: UInt8 = content(size)[5 * Self.block + 7] ^ 1
        pwrite(file, &byte, 1, off_t(5 * Self.block + 7))
        close(file)
        try goOn(transfer.keys, transfer.source, transfer.place, from: 5 * Self.block)
    }

    /// The part belongs to the client that sent it.
    @Test func anotherClientDoesNotGoOnFromThePart() throws {
        let transfer = try HalfWay(size: size)
        transfer.end()
        let keys = transfer.keys
        let other = keys.folder.file("other.key")
        let made = try Pathwise.run("keygen", other)
        let second = try ListeningReceiver(
            keys, output: transfer.place, "--once", "--allow",
            made.output.split(separator: "\n").first.map(String.init) ?? "")
        let sent = try Pathwise(
            ["send", transfer.source, "--key", other, "--peer", keys.server, "--json"] + second.to
        ).wait()
        #expect(sent.status == 0, "\(sent.errors)")
        _ = second.process.wait()
        #expect(try JSONReading(sent).number("items", 0, "resumed_from") == 0)
        #expect(bytes(of: transfer.place + "/data") == content(size))
    }
}
