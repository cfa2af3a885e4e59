import Glibc
import PathTelemetry
import Testing

@testable import PathTransport

/// A stream that has ended leaves no state on either side.
@Suite struct FinishedStreamTests {
    /// Resident bytes of this process, as the kernel counts them.
    private static var memory: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, 255, file) != nil else { return 0 }
        let bytes = line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }

    /// Opens a stream, asks, answers, and ends both halves.
    private static func serve(_ pair: inout ConnectionPair, _ count: Int) throws {
        let request = [UInt8](repeating: 1, count: 400)
        let answer = [UInt8](repeating: 2, count: 40)
        var buffer = [UInt8](repeating: 0, count: 4096)
        for index in 0..<count {
            let stream = try pair.client.openStream()
            _ = try request.withUnsafeBytes { try pair.client.write(stream, $0) }
            try pair.client.finish(stream)
            pair.exchange()
            try pair.box?.with { connection in
                while connection.pollEvent() != nil {}
                while let accepted = connection.acceptStream() {
                    var got = 0
                    while true {
                        let result = try buffer.withUnsafeMutableBytes {
                            try connection.read(accepted, into: $0)
                        }
                        got += result.count
                        if result.isFinished || result.count == 0 { break }
                    }
                    #expect(got == request.count)
                    _ = try answer.withUnsafeBytes { try connection.write(accepted, $0) }
                    try connection.finish(accepted)
                }
                connection.drainRecords { _ in }
            }
            pair.exchange()
            _ = try buffer.withUnsafeMutableBytes { try pair.client.read(stream, into: $0) }
            while pair.client.pollEvent() != nil {}
            // Acknowledgements that wait, and probes.
            if index % 16 == 15 { pair.run(milliseconds: 6) }
        }
    }

    @Test func aHundredThousandStreamsLeaveNothing() throws {
        var pair = try ConnectionPair()
        pair.run(milliseconds: 100)
        try FinishedStreamTests.serve(&pair, 5000)
        let before = FinishedStreamTests.memory
        try FinishedStreamTests.serve(&pair, 95_000)
        let grown = FinishedStreamTests.memory - before
        #expect(pair.client.session.streams.count <= 64)
        let open = pair.box?.with { $0.session.streams.count } ?? -1
        #expect(open >= 0 && open <= 64)
        // Other tests share the process: the bytes are meaningful only if this one runs alone.
        if getenv("PATHWISE_BENCH") != nil {
            print("\(grown) bytes more after 95,000 streams")
            #expect(grown < 2_000_000)
        }
    }
}
