import Glibc
import Testing

/// `send` and `receive` as two processes over real sockets on loopback.
@Suite(.serialized) struct TransferTests {
    private func send(_ keys: KeyPairs, _ input: String, _ more: [String]) throws -> Pathwise {
        try Pathwise(
            ["send", input, "--key", keys.clientFile, "--peer", keys.server] + more)
    }

    @Test func fileArrivesOverTwoPathsAndIsRecorded() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        let bytes = content(5_000_000)
        write(bytes, to: source)
        let trace = keys.folder.file("run.trace")
        let target = keys.folder.file("arrived")
        let receiver = try ListeningReceiver(keys, output: target, "--once", "--json")
        let sent = try send(keys, source, receiver.to + ["--record", trace, "--json"]).wait()
        #expect(sent.status == 0)
        #expect(sent.errors == "")
        #expect(sent.output.contains("\"complete\": true"))
        let received = receiver.process.wait()
        #expect(received.status == 0)
        let isSame = Pathwise.bytesAreEqual(target, bytes)
        #expect(isSame)
        let verified = try Pathwise.run("trace", "verify", trace)
        #expect(verified.status == 0)
        #expect(verified.output.contains("sound"))
    }

    @Test func standardInputToStandardOutput() throws {
        let keys = try KeyPairs()
        let receiver = try ListeningReceiver(keys, output: "-", "--once")
        let text = "over several paths, in order\n"
        let sent = try Pathwise(
            ["send", "-", "--key", keys.clientFile, "--peer", keys.server] + receiver.to,
            input: text
        ).wait()
        #expect(sent.status == 0)
        let received = receiver.process.wait()
        #expect(received.status == 0)
        #expect(received.output == text)
    }

    /// A pipe that is never closed; the transfer runs as long as it is open.
    private func endless(_ keys: KeyPairs) -> (name: String, writer: Int32) {
        let name = keys.folder.file("endless")
        mkfifo(name, 0o600)
        let writer = open(name, O_RDWR | O_CLOEXEC)
        var bytes = content(50_000)
        _ = Glibc.write(writer, &bytes, bytes.count)
        return (name, writer)
    }

    /// Waits until bytes of an item have arrived in a folder.
    private func somethingArrives(in folder: String) -> Bool {
        eventually {
            Scratch.names(in: folder).contains { name in
                var information = stat()
                return name.hasPrefix(".pathwise-") && stat(folder + "/" + name, &information) == 0
                    && information.st_size >= 50_000
            }
        }
    }

    @Test func aKilledReceiverIsNoticed() throws {
        let keys = try KeyPairs()
        let (source, writer) = endless(keys)
        defer { close(writer) }
        let place = keys.folder.file("in")
        let receiver = try ListeningReceiver(keys, output: place + "/")
        let sender = try send(keys, source, receiver.to + ["--idle-timeout", "1s"])
        let hasBegun = somethingArrives(in: place)
        #expect(hasBegun)
        kill(receiver.process.process, SIGKILL)
        _ = receiver.process.wait()
        let sent = sender.wait()
        #expect(sent.status == 69)
        #expect(sent.errorLine?.contains("stopped answering") == true, "\(sent.errors)")
        #expect(access(place + "/endless", F_OK) != 0)
    }

    @Test func interruptedSenderLeavesACompleteTrace() throws {
        let keys = try KeyPairs()
        let (source, writer) = endless(keys)
        defer { close(writer) }
        let trace = keys.folder.file("run.trace")
        let place = keys.folder.file("in")
        let receiver = try ListeningReceiver(keys, output: place + "/")
        let sender = try send(keys, source, receiver.to + ["--record", trace])
        let hasBegun = somethingArrives(in: place)
        #expect(hasBegun)
        let start = seconds()
        sender.interrupt()
        let sent = sender.wait()
        #expect(seconds() - start < 0.5)
        #expect(sent.status == 130)
        #expect(sent.output.contains(" passed on in "))
        let verified = try Pathwise.run("trace", "verify", trace)
        #expect(verified.status == 0)
        receiver.process.interrupt()
        let received = receiver.process.wait()
        #expect(received.status == 130)
        #expect(received.output.contains("  failed  "), "\(received.output)")
        #expect(received.output.contains("received 0 of 1 item, 0 B, from 1 client\n"))
        // A part that cannot be resumed is not kept.
        #expect(Scratch.names(in: place) == [])
    }

    @Test func interruptedReceiverTellsTheSender() throws {
        let keys = try KeyPairs()
        let (source, writer) = endless(keys)
        defer { close(writer) }
        let place = keys.folder.file("in")
        let receiver = try ListeningReceiver(keys, output: place + "/")
        let sender = try send(keys, source, receiver.to)
        let hasBegun = somethingArrives(in: place)
        #expect(hasBegun)
        let start = seconds()
        receiver.process.interrupt()
        #expect(receiver.process.wait().status == 130)
        let sent = sender.wait()
        #expect(seconds() - start < 1)
        #expect(sent.status == 69)
        #expect(sent.errorLine?.contains("closed the connection") == true)
    }

    @Test func strangersAndWrongKeysAreRefused() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write(content(1000), to: source)
        let target = keys.folder.file("arrived")
        let receiver = try ListeningReceiver(keys, output: target)
        let stranger = keys.folder.file("stranger.key")
        _ = try Pathwise.run("keygen", stranger)
        let shared = keys.folder.file("shared.key")
        _ = try Pathwise.run("keygen", "--psk", shared)

        let unknown = try Pathwise(
            ["send", source, "--key", stranger, "--peer", keys.server] + receiver.to
        ).wait()
        #expect(unknown.status == 77)
        #expect(unknown.errorLine?.contains("--allow") == true)
        let wrongServer = try Pathwise(
            ["send", source, "--key", keys.clientFile, "--peer", keys.client] + receiver.to
        ).wait()
        #expect(wrongServer.status == 77)
        #expect(wrongServer.errorLine?.contains("--peer") == true)
        let wrongSecret = try send(keys, source, receiver.to + ["--psk", shared]).wait()
        #expect(wrongSecret.status == 77)
        #expect(wrongSecret.errorLine?.contains("--psk") == true)

        receiver.process.interrupt()
        let received = receiver.process.wait()
        #expect(received.status == 130)
        #expect(received.output.contains("0 of 0 items"))
        #expect(access(target, F_OK) != 0)
    }

    @Test func whatCannotWorkIsRefusedInOneLine() throws {
        let keys = try KeyPairs()
        let source = keys.folder.file("data")
        write([1], to: source)
        func refused(_ arguments: [String], _ status: Int32, _ part: String) throws {
            let run = try Pathwise(arguments).wait()
            #expect(run.status == status, "\(arguments): \(run.errors)")
            #expect(run.errorLine?.contains(part) == true, "\(arguments): \(run.errors)")
        }
        let base = ["--key", keys.clientFile, "--peer", keys.server]
        try refused(["send", "/none", "--to", "127.0.0.1:9"] + base, 66, "/none")
        try refused(["send", source, "--to", "127.0.0.1"] + base, 64, "--to")
        try refused(
            ["send", source, "--to", "127.0.0.1:9", "--key", "/none", "--peer", keys.server], 66,
            "/none")
        try refused(
            ["send", source, "--to", "127.0.0.1:9", "--path", "x"] + base, 64, "--path 'x'")
        try refused(
            ["send", source, "--to", "127.0.0.1:9", "--policy", "lerned"] + base, 64, "learned")
        try refused(
            ["send", source, "--to", "127.0.0.1:9", "--policy", source + "/x.safetensors"] + base,
            66, "x.safetensors")
        try refused(
            ["send", source, "--to", "127.0.0.1:9", "--path", "a=none0"] + base, 69,
            "none of the paths can be used now: a (there is no interface 'none0'; this host has lo")
        try refused(
            ["send", source, "--to", "127.0.0.1:9", "--path", "a=203.0.113.1"] + base, 69,
            "a (no interface has the address 203.0.113.1)")
        try refused(
            ["send", source, "--to", "127.0.0.1:9", "--path", "a=::1"] + base, 69,
            "a (the server has no address of the family of ::1)")
        try refused(["send", "", "--to", "127.0.0.1:9"] + base, 64, "is empty; name a file")
        try refused(
            ["send", source, "--to", "127.0.0.1:9", "--seed", "-1"] + base, 64,
            "'-1' is invalid for '--seed <number>': give a whole number from 0 to")
        try refused(
            [
                "receive", "--listen", "127.0.0.1:0", "--key", keys.serverFile, "--allow",
                keys.client, "--output", "/none/deep/",
            ], 73, "/none/deep/")
        try refused(
            [
                "receive", "--listen", "127.0.0.1:0", "--key", keys.serverFile, "--allow",
                keys.client, "--output", "",
            ], 64, "--output is empty")
        let receiver = try ListeningReceiver(keys, output: keys.folder.file("x"))
        try refused(
            [
                "receive", "--listen", receiver.ports[0], "--key", keys.serverFile, "--allow",
                keys.client, "--output", keys.folder.file("y"),
            ], 69, "in use")
        receiver.process.interrupt()
        _ = receiver.process.wait()
    }
}

extension Pathwise {
    static func bytesAreEqual(_ path: String, _ expected: [UInt8]) -> Bool {
        bytes(of: path) == expected
    }
}
