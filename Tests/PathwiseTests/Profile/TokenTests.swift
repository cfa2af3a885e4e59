import PathTelemetry
import PathTransport
import Testing

@testable import Pathwise

/// Join tokens: what is in them, and that a damaged one is always noticed.
struct TokenTests {
    private func token(_ addresses: [String] = ["vpn.example:7000"]) throws -> JoinToken {
        JoinToken(
            server: try PrivateKey.generate().publicKey, name: "studio", addresses: addresses,
            enrolment: try PrivateKey.generate(), expires: 1_764_500_000)
    }

    @Test func itReadsWhatItWrote() throws {
        for addresses in [
            ["vpn.example:7000"], ["192.0.2.1:7000", "[2001:db8::1]:7000"],
            (1...16).map { "host\($0).example:\($0)" },
        ] {
            let token = try token(addresses)
            let line = try token.text()
            #expect(line.hasPrefix("pathwise1-"))
            #expect(line.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "=") })
            let read = try JoinToken(parsing: line)
            #expect(read.server == token.server)
            #expect(read.name == "studio")
            #expect(read.addresses == addresses)
            #expect(read.expires == token.expires)
            #expect(try read.enrolment.base64 == token.enrolment.base64)
        }
    }

    /// A terminal may have broken the line.
    @Test func whiteSpaceIsIgnored() throws {
        let line = try token().text()
        let broken = " \(line.prefix(40))\r\n  \(line.dropFirst(40))\n"
        #expect(try JoinToken(parsing: broken).text() == line)
    }

    @Test func everyTruncationIsNoticed() throws {
        let line = try token().text()
        for count in 0..<line.count {
            #expect(throws: StateError.self, "\(count)") {
                try JoinToken(parsing: String(line.prefix(count)))
            }
        }
        #expect(throws: StateError.self) { try JoinToken(parsing: line + "A") }
    }

    @Test func everyWrongCharacterIsNoticed() throws {
        let line = Array(try token().text().utf8)
        for index in line.indices {
            for wrong in [UInt8(ascii: "A"), UInt8(ascii: "z"), UInt8(ascii: "_"), 61, 200]
            where wrong != line[index] {
                var mutant = line
                mutant[index] = wrong
                #expect(throws: StateError.self, "\(index)") {
                    try JoinToken(parsing: String(decoding: mutant, as: UTF8.self))
                }
            }
        }
        // So are two neighbours that changed places.
        for index in line.indices.dropLast() where line[index] != line[index + 1] {
            var mutant = line
            mutant.swapAt(index, index + 1)
            #expect(throws: StateError.self, "\(index)") {
                try JoinToken(parsing: String(decoding: mutant, as: UTF8.self))
            }
        }
    }

    @Test(arguments: [
        ("", "this is no token"), ("hello", "this is no token"),
        ("pathwise2-AAAA", "of another version"), ("pathwise1-", "not complete or was mistyped"),
        ("pathwise1-AAAA", "not complete or was mistyped"),
    ])
    func theErrorSaysWhatItIs(text: String, problem: String) throws {
        let error = #expect(throws: StateError.self) { try JoinToken(parsing: text) }
        #expect(error.map { "\($0)".contains(problem) } == true, "\(String(describing: error))")
    }

    /// Even with a right checksum, a length that is read is never believed.
    @Test func hostileTokensAreRefused() throws {
        var generator = SeededGenerator(seed: 5)
        let original = try #require(
            URLBase64.decode(try token().text().utf8.dropFirst("pathwise1-".utf8.count)))
        let label = Array("pathwise token".utf8)
        var accepted = 0
        for _ in 0..<5_000 {
            var bytes = Array(original.dropLast(8))
            for _ in 0...Int(generator.next() % 3) {
                switch generator.next() % 4 {
                case 0: bytes = Array(bytes.prefix(Int(generator.next() % 160)))
                case 1: bytes.append(UInt8(truncatingIfNeeded: generator.next()))
                default:
                    guard !bytes.isEmpty else { continue }
                    let index = 72 + Int(generator.next() % 30)
                    if index < bytes.count {
                        bytes[index] = UInt8(truncatingIfNeeded: generator.next())
                    }
                }
            }
            let sum = try Crypto.sha256(label.span.bytes, bytes.span.bytes).array.prefix(8)
            do {
                let read = try JoinToken(parsing: "pathwise1-" + URLBase64.encode(bytes + sum))
                #expect((1...16).contains(read.addresses.count))
                #expect(read.addresses.allSatisfy { !$0.isEmpty && $0.utf8.count <= 255 })
                accepted += 1
            } catch {
                #expect("\(error)".contains("not complete or was mistyped"))
            }
        }
        #expect(accepted > 0 && accepted < 5_000)
    }

    @Test func base64OfEveryLength() throws {
        var generator = SeededGenerator(seed: 6)
        for count in 0..<100 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            let text = URLBase64.encode(bytes)
            #expect(text.count == (count * 4 + 2) / 3)
            #expect(URLBase64.decode(text.utf8) == bytes)
        }
        // RFC 4648, section 10, without padding.
        #expect(URLBase64.encode(Array("foobar".utf8)) == "Zm9vYmFy")
        #expect(URLBase64.encode(Array("fooba".utf8)) == "Zm9vYmE")
        #expect(URLBase64.encode([0xfb, 0xff]) == "-_8")
        #expect(URLBase64.decode("-_9".utf8) == nil)
        #expect(URLBase64.decode("A".utf8) == nil)
    }
}
