import Glibc
import Testing

/// The reports of `send` and `receive`, in text and in JSON, for every kind of end.
@Suite(.serialized) struct TransferReportTests {
    /// A folder with files, a folder and a link in it; the names that are to be sent.
    private func tree(_ keys: KeyPairs, files: Int) -> (path: String, names: Set<String>) {
        let root = keys.folder.file("d")
        mkdir(root, 0o755)
        mkdir(root + "/sub", 0o755)
        symlink("f0", root + "/link")
        var names: Set<String> = ["d", "d/sub", "d/link"]
        for index in 0..<files {
            let name = index % 2 == 0 ? "f\(index)" : "sub/f\(index)"
            write([1, 2, UInt8(index & 0xff)], to: root + "/" + name)
            names.insert("d/" + name)
        }
        return (root, names)
    }

    private func items(_ json: JSONReading) throws -> [(name: String, outcome: String)] {
        try (0..<json.count("items")).map {
            (try json.text("items", $0, "name"), try json.text("items", $0, "outcome"))
        }
    }

    @Test func aRefusedConnectionHasItsItemsAndItsErrorInJSON() throws {
        let keys = try KeyPairs()
        let (root, names) = tree(keys, files: 5)
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("in/"))
        let stranger = keys.folder.file("stranger.key")
        _ = try Pathwise.run("keygen", stranger)
        let sent = try Pathwise(
            ["send", root, "--key", stranger, "--peer", keys.server, "--json"] + receiver.to
        ).wait()
        receiver.process.interrupt()
        _ = receiver.process.wait()
        #expect(sent.status == 77)
        let json = try JSONReading(sent)
        #expect(try Set(items(json).map(\.name)) == names)
        #expect(try items(json).count == names.count)
        #expect(try items(json).allSatisfy { $0.outcome == "failed" })
        #expect(try json.bool("complete") == false)
        #expect(try json.bool("names_all_items"))
        #expect(try json.number("error", "exit_code") == 77)
        #expect(try sent.errorLine == "pathwise: " + json.text("error", "message"))
        #expect(try json.number("items_failed") == Double(names.count))
        #expect(try json.number("bytes") == 0)
    }

    @Test func missingInputsAreInJSON() throws {
        let keys = try KeyPairs()
        let present = keys.folder.file("present")
        write([1, 2, 3], to: present)
        let base = ["--key", keys.clientFile, "--peer", keys.server, "--json"]
        let none = try Pathwise(
            ["send", keys.folder.file("none"), "--to", "127.0.0.1:9"] + base
        ).wait()
        #expect(none.status == 66)
        let refused = try JSONReading(none)
        #expect(try refused.number("error", "exit_code") == 66)
        #expect(try refused.text("items", 0, "name") == "none")
        #expect(try refused.text("items", 0, "problem").contains("No such file"))

        let receiver = try ListeningReceiver(keys, output: keys.folder.file("in/"), "--once")
        let partly = try Pathwise(
            ["send", present, keys.folder.file("none")] + base + receiver.to
        ).wait()
        _ = receiver.process.wait()
        #expect(partly.status == 74)
        let json = try JSONReading(partly)
        #expect(try json.number("error", "exit_code") == 74)
        #expect(
            try json.text("error", "message")
                == "1 of 2 items was not sent, the first is none; the others are stored")
        #expect(try json.number("bytes") == 3)
        // An invalid command line makes no report.
        let wrong = try Pathwise(
            ["send", present, "--to", "127.0.0.1:9", "--policy", "lerned"] + base
        ).wait()
        #expect(wrong.status == 64)
        #expect(wrong.output.isEmpty)
    }

    private enum End: CaseIterable { case receiverKilled, interrupted, terminated }

    /// Items in transfer, items not begun, folders: each is in the object once.
    @Test(arguments: [0, 1, 2])
    func whatEndsARunLeavesNoItemOut(number: Int) throws {
        let end = End.allCases[number]
        let keys = try KeyPairs()
        let (root, names) = tree(keys, files: 400)
        let pipe = keys.folder.file("pipe")
        mkfifo(pipe, 0o600)
        // No other item is written to standard output before the pipe ends.
        let receiver = try ListeningReceiver(keys, output: "-", "--idle-timeout", "1s")
        let sender = try keys.send(
            [pipe, root], to: receiver, "--json", "--idle-timeout", "1s")
        let waits = eventually { sender.errorText.contains("waiting for data from") }
        #expect(waits)
        switch end {
        case .receiverKilled: kill(receiver.process.process, SIGKILL)
        case .interrupted: kill(sender.process, SIGINT)
        case .terminated: kill(sender.process, SIGTERM)
        }
        let sent = sender.wait()
        if end != .receiverKilled { kill(receiver.process.process, SIGKILL) }
        _ = receiver.process.wait()
        let json = try JSONReading(sent)
        let found = try items(json)
        #expect(found.count == names.count + 1)
        #expect(Set(found.map(\.name)) == names.union(["pipe"]))
        #expect(found.allSatisfy { $0.outcome == "failed" })
        let status = [69, 130, 143][number]
        #expect(Int(sent.status) == status)
        #expect(try Int(json.number("error", "exit_code")) == status)
        let message = ["stopped answering", "SIGINT (Ctrl-C)", "SIGTERM"][number]
        #expect(try json.text("error", "message").contains(message))
    }

    /// A pipe without data is reported after a second, and one with data is not.
    @Test func aWaitForAPipeIsSaid() throws {
        let keys = try KeyPairs()
        let pipe = keys.folder.file("pipe")
        mkfifo(pipe, 0o600)
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("in/"))
        let start = seconds()
        let sender = try keys.send([pipe], to: receiver)
        let isSaid = eventually(within: 5) { !sender.errorText.isEmpty }
        #expect(isSaid)
        #expect(seconds() - start > 0.9)
        #expect(
            sender.errorText
                == "pathwise: waiting for data from \(pipe), to which nothing has been written "
                + "yet\n")
        let interrupted = seconds()
        sender.interrupt()
        #expect(sender.wait().status == 130)
        #expect(seconds() - interrupted < 0.5)

        let writer = open(pipe, O_RDWR | O_CLOEXEC)
        var bytes = content(100)
        _ = Glibc.write(writer, &bytes, bytes.count)
        let silent = try keys.send([pipe], to: receiver)
        usleep(1_500_000)
        close(writer)
        let sent = silent.wait()
        #expect(sent.status == 0)
        #expect(sent.errors.isEmpty)
        receiver.process.interrupt()
        _ = receiver.process.wait()
    }

    /// Bytes of a refused item do not count as received, and it has no part to resume.
    @Test func totalsCountWhatIsStored() throws {
        let keys = try KeyPairs()
        let (good, bad) = (keys.folder.file("good"), keys.folder.file("bad"))
        write(content(40_000), to: good)
        write(content(6), to: bad)
        let place = keys.folder.file("in")
        mkdir(place, 0o755)
        write([1], to: place + "/bad")
        for inputs in [[bad], [good, bad]] {
            let isAlone = inputs.count == 1
            let receiver = try ListeningReceiver(
                keys, output: place, "--once", "--on-conflict", "refuse")
            let sent = try keys.send(inputs, to: receiver).wait()
            let received = receiver.process.wait()
            let total =
                isAlone
                ? "received 0 of 1 item, 0 B, from 1 client\n"
                : "received 1 of 2 items, 40.0 kB, from 1 client\n"
            #expect(received.output.hasSuffix(total), "\(received.output)")
            #expect(received.errors.contains("bad was not stored: cannot create"))
            #expect(!received.errors.contains("complete"), "\(received.errors)")
            let said =
                isAlone
                ? "stored 0 B of 6 B passed on in "
                : "stored 40.0 kB of 40.0 kB passed on in "
            #expect(sent.output.contains(said), "\(sent.output)")
            #expect(sent.output.contains("0 failovers"))
        }
    }

    /// A client is called the same in the lines of its items and above the table of its paths.
    @Test func theTablesNameTheirClients() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(1000), to: source)
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("in/"))
        for _ in 0..<12 {
            let sent = try keys.send([source], to: receiver).wait()
            #expect(sent.status == 0, "\(sent.errors)")
        }
        receiver.process.interrupt()
        let lines = receiver.process.wait().output.split(separator: "\n").map(String.init)
        let label = String(keys.client.prefix(8))
        #expect(lines.count { $0.contains("  \(label)  ") } == 12)
        #expect(lines.count { $0 == label } == 10)
        #expect(lines.count { $0.hasPrefix("path ") } == 10)
        #expect(lines.contains("(the paths of 2 earlier clients are left out)"))
        for (above, line) in zip(lines, lines.dropFirst()) where line.hasPrefix("path ") {
            #expect(above == label)
        }
        #expect(lines.last == "received 12 of 12 items, 12.0 kB, from 12 clients")
    }

    @Test func theReceiversSummaryNamesItsEnd() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(1000), to: source)
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("in/"), "--json")
        #expect(try keys.send([source], to: receiver).wait().status == 0)
        receiver.process.interrupt()
        let received = receiver.process.wait()
        #expect(received.status == 130)
        let last = try #require(received.output.split(separator: "\n").last)
        let json = try JSONReading(
            Finished(output: String(last), errors: "", status: received.status))
        #expect(try json.number("error", "exit_code") == 130)
        #expect(try json.text("error", "message") == "ended by SIGINT (Ctrl-C)")
        #expect(try json.text("clients", 0, "client") == String(keys.client.prefix(8)))
        #expect(try json.text("clients", 0, "client_key") == keys.client)
        #expect(try json.number("clients_left_out") == 0)
        #expect(try json.number("bytes") == 1000)

        let taken = try ListeningReceiver(keys, output: keys.folder.file("in/"))
        let refused = try Pathwise([
            "receive", "--listen", taken.ports[0], "--key", keys.serverFile, "--allow",
            keys.client, "--output", keys.folder.file("in/"), "--json",
        ]).wait()
        taken.process.interrupt()
        _ = taken.process.wait()
        #expect(refused.status == 69)
        let summary = try JSONReading(refused)
        #expect(try summary.text("event") == "summary")
        #expect(try summary.text("error", "message").contains("in use"))
        #expect(try summary.bool("complete") == false)
    }
}
