import Glibc
import Testing

/// The counters of `status` against those of the kernel, for both directions of two paths.
@Suite(
    .serialized,
    .enabled(if: TwoHosts.isPossible, "needs root, network namespaces, veth and iproute2"))
struct NamespaceStatusTests {
    private let folder = Scratch()

    private func kernel(_ hosts: TwoHosts, _ link: String, _ counter: String) -> Double {
        let file = folder.file("counter")
        _ = TwoHosts.shell(
            "ip netns exec \(hosts.client) cat /sys/class/net/\(link)/statistics/\(counter) >\(file)"
        )
        return Double(text(of: file).filter(\.isNumber)) ?? 0
    }

    @Test func bytesAgreeWithTheInterfaces() throws {
        let hosts = try TwoHosts(["dsl", "lte"])
        // Without segmentation offload, or the interface counts 64 packets as one.
        for (host, device) in [
            (hosts.client, "dsl"), (hosts.client, "lte"), (hosts.server, "w0"),
            (hosts.server, "w1"),
        ] {
            #expect(TwoHosts.shell("ip -n \(host) link set \(device) gso_max_segs 1"))
        }
        let keys = try KeyPairs()
        let receiver = try Pathwise(
            ["receive"] + hosts.addresses.flatMap { ["--listen", $0] } + [
                "--key", keys.serverFile, "--allow", keys.client, "--output",
                folder.file("arrived"),
            ], namespace: hosts.server)
        #expect(eventually { receiver.errorText.contains("listening") })
        let pipe = folder.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let writer = open(pipe, O_RDWR)
        let shell =
            "XDG_RUNTIME_DIR='\(folder.path)' exec ip netns exec \(hosts.client) \"$@\""
        let sender = try Pathwise(
            ["send", "-", "--key", keys.clientFile, "--peer", keys.server]
                + hosts.addresses.flatMap { ["--to", $0] }
                + ["--path", "dsl=dsl,limit=60mbit", "--path", "lte=lte,limit=40mbit"],
            inputFile: pipe, shell: shell)
        let bytes = content(1_000_000)
        for _ in 0..<20 {
            var done = 0
            while done < bytes.count {
                done += bytes.withUnsafeBytes {
                    max(0, Glibc.write(writer, $0.baseAddress.map { $0 + done }, $0.count - done))
                }
            }
        }
        func status() throws -> JSONReading {
            try JSONReading(
                try Pathwise(
                    ["status", "--json"], shell: "XDG_RUNTIME_DIR='\(folder.path)' exec \"$@\""
                ).wait())
        }
        // All has been sent and acknowledged when the counters no longer move.
        var last = 0.0
        #expect(
            eventually {
                usleep(300_000)
                let now = kernel(hosts, "dsl", "tx_bytes") + kernel(hosts, "lte", "tx_bytes")
                defer { last = now }
                return now - last < 3_000 && now > 20_000_000
            })
        let json = try status()
        #expect(try json.count("processes", 0, "sessions", 0, "paths") == 2)
        for (index, link) in ["dsl", "lte"].enumerated() {
            func path(_ member: String) throws -> Double {
                try json.number("processes", 0, "sessions", 0, "paths", index, member)
            }
            // The kernel counts the 14 bytes of the Ethernet header too.
            let sent = try path("bytes_sent") + 14 * path("packets_sent")
            let received = try path("bytes_received") + 14 * path("packets_received")
            let tx = kernel(hosts, link, "tx_bytes")
            let rx = kernel(hosts, link, "rx_bytes")
            #expect(tx > 5_000_000 && rx > 5_000)
            #expect(abs(sent - tx) < 0.01 * tx, "\(link): \(sent) of \(tx)")
            #expect(
                abs(received - rx) < 0.01 * rx + 2_000, "\(link): \(received) of \(rx)")
            let packets = kernel(hosts, link, "tx_packets")
            #expect(try abs(path("packets_sent") - packets) < 0.01 * packets + 30)
        }
        close(writer)
        sender.interrupt()
        _ = sender.wait()
        receiver.interrupt()
        _ = receiver.wait()
    }
}
