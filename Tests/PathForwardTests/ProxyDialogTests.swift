import PathTelemetry
import PathTransport
import Testing

@testable import PathForward

/// The dialogs of SOCKS and HTTP CONNECT, byte by byte, without sockets.
@Suite struct ProxyDialogTests {
    /// Feeds bytes in pieces and collects what the dialog says.
    private func socks(_ input: [UInt8], piece: Int) -> (steps: [SocksDialog.Step], rest: [UInt8]) {
        var dialog = SocksDialog()
        var bytes: [UInt8] = []
        var steps: [SocksDialog.Step] = []
        var offset = 0
        while offset < input.count {
            bytes += input[offset..<min(offset + piece, input.count)]
            offset += piece
            asking: while true {
                let step = dialog.next(&bytes)
                switch step {
                case .needsMore: break asking
                case .reply: steps.append(step)
                case .request, .refuse:
                    steps.append(step)
                    return (steps, bytes + input[min(offset, input.count)...])
                }
            }
        }
        return (steps, bytes)
    }

    private func target(_ host: String, _ port: UInt16) throws -> ForwardTarget {
        try #require(ForwardTarget(host: host, port: port))
    }

    @Test(arguments: [1, 2, 3, 1000])
    func socksConnectsToAllKindsOfAddresses(piece: Int) throws {
        let cases: [(request: [UInt8], target: ForwardTarget)] = [
            ([5, 1, 0, 1, 10, 0, 0, 5, 1, 187], try target("10.0.0.5", 443)),
            ([5, 1, 0, 3, 3, 97, 46, 98, 0, 22], try target("a.b", 22)),
            (
                [5, 1, 0, 4, 0x20, 1, 0xd, 0xb8] + Array(repeating: 0, count: 11) + [1, 0, 80],
                try target("2001:db8::1", 80)
            ),
        ]
        for (request, target) in cases {
            let said = socks([5, 2, 2, 0] + request + [1, 2, 3], piece: piece)
            #expect(said.steps == [.reply([5, 0]), .request(.connect(target))])
            #expect(said.rest == [1, 2, 3])
        }
        let associate = socks([5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0], piece: piece)
        #expect(associate.steps == [.reply([5, 0]), .request(.associate)])
    }

    /// Some programs give the host of a URL as it stands there.
    @Test func aNameWithBracketsIsAnAddress() throws {
        let target = try target("[::1]", 443)
        #expect(target.host == "::1" && "\(target)" == "[::1]:443")
        #expect(target.address == SocketAddress(ipv6High: 0, low: 1, port: 443))
        let name = Array("[2001:db8::7]".utf8)
        let said = socks([5, 1, 0, 5, 1, 0, 3, UInt8(name.count)] + name + [0, 80], piece: 99)
        #expect(said.steps.last == .request(.connect(try self.target("2001:db8::7", 80))))
        // Other names keep what they have.
        #expect(ForwardTarget(host: "[a]", port: 1)?.host == "[a]")
    }

    @Test func socksRefusesWhatItDoesNotSpeak() {
        let greeting: [UInt8] = [5, 1, 0]
        #expect(socks([4, 1, 0, 80, 1, 2, 3, 4, 0], piece: 99).steps == [.refuse([])])
        #expect(socks([5, 1, 2], piece: 99).steps == [.refuse([5, 0xff])])
        #expect(socks([5, 0], piece: 99).steps == [.refuse([5, 0xff])])
        func refusal(_ request: [UInt8]) -> SocksDialog.Step? {
            socks(greeting + request, piece: 99).steps.last
        }
        // BIND, an unknown command, an unknown kind of address, no name, no port.
        #expect(
            refusal([5, 2, 0, 1, 1, 2, 3, 4, 0, 1]) == .refuse([5, 7, 0, 1, 0, 0, 0, 0, 0, 0]))
        #expect(
            refusal([5, 9, 0, 1, 1, 2, 3, 4, 0, 1]) == .refuse([5, 7, 0, 1, 0, 0, 0, 0, 0, 0]))
        #expect(
            refusal([5, 1, 0, 2, 1, 2, 3, 4, 0, 1]) == .refuse([5, 8, 0, 1, 0, 0, 0, 0, 0, 0]))
        #expect(refusal([5, 1, 0, 3, 0, 0, 1]) == .refuse([5, 1, 0, 1, 0, 0, 0, 0, 0, 0]))
        #expect(refusal([5, 1, 0, 3, 1, 32, 0, 1]) == .refuse([5, 1, 0, 1, 0, 0, 0, 0, 0, 0]))
        #expect(
            refusal([5, 1, 0, 1, 1, 2, 3, 4, 0, 0]) == .refuse([5, 1, 0, 1, 0, 0, 0, 0, 0, 0]))
        #expect(refusal([4, 1, 0, 1]) == .refuse([]))
    }

    @Test func socksRepliesSayWhy() {
        let codes: [(ForwardResult.Code, UInt8)] = [
            (.ok, 0), (.denied, 2), (.refused, 5), (.unreachable, 4), (.timedOut, 6),
            (.nameNotFound, 4), (.limitReached, 1), (.malformed, 1), (.addressInUse, 1),
        ]
        for (code, number) in codes { #expect(SocksDialog.Code(code).rawValue == number) }
        let bound = SocketAddress(parsing: "[2001:db8::1]:258")
        #expect(
            SocksDialog.reply(.succeeded, bound: bound)
                == [5, 0, 0, 4, 0x20, 1, 0xd, 0xb8] + Array(repeating: 0, count: 11) + [1, 1, 2])
    }

    private func http(_ text: String, piece: Int = 1) -> (step: ConnectDialog.Step, rest: String) {
        var dialog = ConnectDialog()
        var bytes: [UInt8] = []
        let input = Array(text.utf8)
        var offset = 0
        while offset < input.count {
            bytes += input[offset..<min(offset + piece, input.count)]
            offset += piece
            let step = dialog.next(&bytes)
            if step != .needsMore {
                bytes += input[min(offset, input.count)...]
                return (step, String(decoding: bytes, as: UTF8.self))
            }
        }
        return (.needsMore, String(decoding: bytes, as: UTF8.self))
    }

    @Test(arguments: [1, 2, 7, 100_000])
    func connectFindsTheTargetAndLeavesTheRest(piece: Int) throws {
        let request = "CONNECT studio:443 HTTP/1.1\r\nHost: studio:443\r\nX: y\r\n\r\nrest"
        let said = http(request, piece: piece)
        #expect(said.step == .connect(try target("studio", 443)))
        #expect(said.rest == "rest")
        #expect(
            http("CONNECT [2001:db8::1]:22 HTTP/1.0\n\n", piece: piece).step
                == .connect(try target("2001:db8::1", 22)))
        #expect(
            http("\r\n\r\nCONNECT a:1 HTTP/1.1\r\n\r\n", piece: piece).step
                == .connect(try target("a", 1)))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 405), ("CONNECT a HTTP/1.1\r\n\r\n", 400),
        ("CONNECT a:0 HTTP/1.1\r\n\r\n", 400), ("CONNECT a:1 HTTP/2\r\n\r\n", 400),
        ("CONNECT  a:1 HTTP/1.1\r\n\r\n", 400), ("hello\r\n\r\n", 400),
        ("CONNECT http://a:1/ HTTP/1.1\r\n\r\n", 400), ("\u{1}\u{2}\r\n\r\n", 400),
    ])
    func otherRequestsAreAnswered(request: String, status: Int) throws {
        guard case .refuse(let answer) = http(request).step else {
            Issue.record("\(request) was not refused")
            return
        }
        let text = String(decoding: answer, as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(text.contains("Connection: close\r\n") && text.hasSuffix("\n"))
        let parts = text.split(separator: "\r\n\r\n")
        #expect(text.contains("Content-Length: \(parts[1].utf8.count)\r\n"))
    }

    @Test func headersAreLimited() {
        let long = "CONNECT a:1 HTTP/1.1\r\nX: " + String(repeating: "y", count: 16_384)
        guard case .refuse(let answer) = http(long, piece: 500).step else {
            Issue.record("a long header was taken")
            return
        }
        #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 400 "))
        let fits = "CONNECT a:1 HTTP/1.1\r\nX: " + String(repeating: "y", count: 16_000)
        #expect(http(fits + "\r\n\r\n", piece: 500).step != .needsMore)
    }

    /// The same input says the same, in whatever pieces it comes, and nothing traps.
    @Test(arguments: [6, 7, 8] as [UInt64])
    func mutantsSayTheSameInPieces(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let dialogs: [[UInt8]] = [
            [5, 2, 0, 2, 5, 1, 0, 3, 5, 97, 46, 98, 46, 99, 1, 187, 9],
            [5, 1, 0, 5, 1, 0, 1, 10, 0, 0, 5, 1, 187],
            [5, 1, 0, 5, 3, 0, 4] + Array(repeating: 1, count: 18),
        ]
        let requests = [
            "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\nrest", "CONNECT [::1]:1 HTTP/1.0\n\n",
        ]
        var (taken, refused) = (0, 0)
        for index in 0..<Fuzz.count(6000) {
            if index % 2 == 0 {
                let input = Fuzz.mutate(dialogs[index / 2 % 3], &generator)
                let whole = socks(input, piece: 1000)
                let pieces = socks(input, piece: 1)
                #expect(whole.steps == pieces.steps && whole.rest == pieces.rest, "seed \(seed)")
                if case .request = whole.steps.last { taken += 1 }
                if case .refuse = whole.steps.last { refused += 1 }
            } else {
                let input = Fuzz.mutate(Array(requests[index / 2 % 2].utf8), &generator)
                let text = String(decoding: input, as: UTF8.self)
                let whole = http(text, piece: 1000)
                #expect(whole == http(text, piece: 1), "seed \(seed): \(text)")
                if case .connect = whole.step { taken += 1 }
                if case .refuse = whole.step { refused += 1 }
            }
        }
        #expect(taken > 500 && refused > 500, "seed \(seed)")
    }
}
