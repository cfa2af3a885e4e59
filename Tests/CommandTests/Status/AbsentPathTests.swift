import Glibc
import Synchronization
import Testing

/// Rows of `status` for paths that are wanted and do not exist, over real interfaces.
@Suite(
    .serialized,
    .enabled(if: TwoHosts.isPossible, "needs root, network namespaces, veth and iproute2"))
struct AbsentPathTests {
    private let folder = Scratch()

    private func receiver(_ hosts: TwoHosts, _ keys: KeyPairs) throws -> Pathwise {
        let receiver = try Pathwise(
            ["receive"] + hosts.addresses.flatMap { ["--listen", $0] } + [
                "--key", keys.serverFile, "--allow", keys.client, "--output",
                folder.file("arrived"),
            ], namespace: hosts.server)
        #expect(eventually { receiver.errorText.contains("listening") })
        return receiver
    }

    private func status(_ more: String...) throws -> Finished {
        try Pathwise(
            ["status"] + more, shell: "XDG_RUNTIME_DIR='\(folder.path)' exec \"$@\""
        ).wait()
    }

    /// The state and reason of a path; nil if it has no row.
    private func row(_ name: String) throws -> (state: String, reason: String?, sent: Double)? {
        let run = try status("--json")
        guard run.status == 0 else { return nil }
        let json = try JSONReading(run)
        let place: [Any] = ["processes", 0, "sessions", 0, "paths"]
        var index = 0
        while let known = json.optionalText(at: place + [index, "name"]) {
            if known == name {
                return (
                    try json.text(at: place + [index, "state"]),
                    json.optionalText(at: place + [index, "reason"]),
                    try json.number(at: place + [index, "bytes_sent"])
                )
            }
            index += 1
        }
        return nil
    }

    private func becomes(_ name: String, is state: String, because reason: String) -> Bool {
        eventually {
            guard let row = try? row(name) else { return false }
            return row.state == state && row.reason?.contains(reason) == true
        }
    }

    /// An interface that does not exist, one that goes down and comes back, and one that is removed.
    @Test func interfacesThatAreGone() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        let keys = try KeyPairs()
        let receiver = try receiver(hosts, keys)
        let pipe = folder.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let writer = open(pipe, O_RDWR)
        defer { close(writer) }
        let shell =
            "XDG_RUNTIME_DIR='\(folder.path)' exec ip netns exec \(hosts.client) \"$@\""
        let sender = try Pathwise(
            ["send", "-", "--key", keys.clientFile, "--peer", keys.server]
                + hosts.addresses.flatMap { ["--to", $0] }
                + ["--path", "dsl=dsl", "--path", "lte=lte", "--path", "usb=usb7"],
            inputFile: pipe, shell: shell)
        #expect(becomes("usb", is: "down", because: "there is no interface 'usb7'; this host has"))
        #expect(eventually { (try? row("lte"))??.state == "active" })
        let before = try #require(try row("lte"))
        #expect(before.reason == nil && before.sent > 0)
        hosts.set("lte", "down")
        #expect(becomes("lte", is: "down", because: "'lte' is down"))
        // What it carried is still counted.
        #expect(try #require(try row("lte")).sent >= before.sent)
        let text = try status()
        #expect(text.output.contains("\nlte is down: 'lte' is down\n"), "\(text.output)")
        #expect(text.output.contains("\nusb   down "), "\(text.output)")
        hosts.set("lte", "up")
        #expect(eventually { (try? row("lte"))??.state == "active" })
        #expect(TwoHosts.shell("ip -n \(hosts.client) addr flush dev lte"))
        #expect(becomes("lte", is: "down", because: "'lte' has no address"))
        #expect(TwoHosts.shell("ip -n \(hosts.client) link del lte"))
        #expect(becomes("lte", is: "down", because: "there is no interface 'lte'; this host has"))
        for run in [sender, receiver] {
            run.interrupt()
            _ = run.wait()
        }
    }

    /// A request about paths that were found by themselves names those too that are down at that moment.
    @Test func requestsKeepPathsThatAreDown() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        let server = try RunningServer(
            ["--listen", hosts.addresses[1]] + hosts.addresses.flatMap { ["--public", $0] },
            address: hosts.addresses[0],
            shell: "exec ip netns exec \(hosts.server) \"$@\"")
        let state = server.folder.file("van")
        let joined = try Pathwise(
            ["join", try server.firstToken(), "--state", state], namespace: hosts.client
        ).wait()
        #expect(joined.status == 0, "\(joined.errors)")
        let client = try Pathwise(
            ["forward", "--state", state, "tcp:0=127.0.0.1:9"], namespace: hosts.client)
        let isActive = { (name: String) throws in
            let json = try server.status(of: "van")
            let place: [Any] = ["processes", 0, "sessions", 0, "paths"]
            return (0..<2).contains {
                json.optionalText(at: place + [$0, "name"]) == name
                    && json.optionalText(at: place + [$0, "state"]) == "active"
            }
        }
        #expect(eventually { client.output.contains("connected over") })
        #expect(try eventually { try isActive("dsl") && isActive("lte") })
        hosts.set("lte", "down")
        #expect(try eventually { try !isActive("lte") })
        let run = try Pathwise(["control", "--state", state, "path", "price", "dsl", "5"]).wait()
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("the paths are now dsl, lte, and"), "\(run.output)")
        hosts.set("lte", "up")
        #expect(try eventually { try isActive("lte") })
        kill(client.process, SIGTERM)
        _ = client.wait()
    }

    /// A path with a hard cap stops within a burst of it by the kernel's counters, and the server, which
    /// knows no other path, stops too.
    @Test func aHardCapHoldsWhileSending() throws {
        let hosts = try TwoHosts(["lte"], segments: false)
        let keys = try KeyPairs()
        let receiver = try receiver(hosts, keys)
        let file = folder.file("data")
        write([UInt8](repeating: 7, count: 90_000_000), to: file)
        let shell =
            "HOME='\(folder.path)' XDG_RUNTIME_DIR='\(folder.path)' exec ip netns exec "
            + "\(hosts.client) \"$@\""
        let sender = try Pathwise(
            ["send", file, "--key", keys.clientFile, "--peer", keys.server]
                + hosts.addresses.flatMap { ["--to", $0] }
                + ["--path", "lte=lte,cap=40MB/month,hard", "--idle-timeout", "1min"],
            shell: shell)
        try expectTheCap(hosts, 39_900_000..<40_200_000)
        for run in [sender, receiver] {
            run.interrupt()
            _ = run.wait()
        }
    }

    /// The same for what comes; what is under way when the server is told still arrives.
    @Test func aHardCapHoldsWhileReceiving() throws {
        let hosts = try TwoHosts(["lte"], segments: false)
        let source = Mutex<SourceServer?>(nil)
        try TwoHosts.onThread(of: hosts.server) {
            let server = try? SourceServer()
            source.withLock { $0 = server }
        }
        #expect(eventually { source.withLock { $0 != nil } })
        let target = try #require(source.withLock { $0 }).port
        let server = try Pathwise(
            ["serve", "--state", folder.file("server"), "--listen", hosts.addresses[0]],
            namespace: hosts.server)
        defer { kill(server.process, SIGKILL) }
        #expect(eventually { server.output.contains("pathwise1-") })
        let token = try #require(RunningServer.token(in: server.output))
        let join = try Pathwise(
            ["join", token, "--state", folder.file("van")], namespace: hosts.client
        ).wait()
        #expect(join.status == 0, "\(join.errors)")
        // Some 20 ms of data are under way when the server is told.
        #expect(
            TwoHosts.shell(
                "ip netns exec \(hosts.server) tc qdisc add dev w0 root tbf rate 200mbit burst 64kb "
                    + "latency 20ms"))
        let base = hosts.carried("lte", folder)
        let shell = "XDG_RUNTIME_DIR='\(folder.path)' exec ip netns exec \(hosts.client) \"$@\""
        let forward = try Pathwise(
            [
                "forward", "tcp:0=127.0.0.1:\(target)", "--state", folder.file("van"), "--path",
                "lte=lte,cap=40MB/month,hard",
            ], shell: shell)
        defer { kill(forward.process, SIGKILL) }
        #expect(eventually { forward.output.contains("connected over") })
        let local = try port(of: "tcp", in: forward.output)
        try TwoHosts.onThread(of: hosts.client) {
            _ = (try? PlainConnection(to: local))?.drain(for: 20)
        }
        try expectTheCap(hosts, 38_500_000..<40_800_000, base)
        source.withLock { $0 }?.stop()
    }

    private func expectTheCap(_ hosts: TwoHosts, _ range: Range<Int>, _ base: Int = 0) throws {
        #expect(becomes("lte", is: "capped", because: "its cap is used up until "))
        usleep(500_000)
        let carried = hosts.carried("lte", folder)
        #expect(range.contains(carried - base), "\(carried - base)")
        usleep(2_000_000)
        let later = hosts.carried("lte", folder)
        #expect(later - carried < 20_000, "\(later - carried) bytes afterwards")
    }
}
