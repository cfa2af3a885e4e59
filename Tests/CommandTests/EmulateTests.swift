import Glibc
import PathNetwork
import PathTransport
import Testing

@testable import PathTelemetry

struct EmulateTests {
    /// Waits up to ten seconds for the first line that a running program prints.
    private func firstLine(of program: Pathwise) throws -> String {
        for _ in 0..<1_000 {
            if let end = program.output.firstIndex(of: "\n") {
                return String(program.output[..<end])
            }
            usleep(10_000)
        }
        throw Missing(text: program.output)
    }

    private struct Missing: Error { var text: String }

    @Test func carriesDatagramsAndEndsOrderlyOnInterruption() throws {
        var server = try UDPSocket(local: .loopback(port: 0))
        var client = try UDPSocket(local: .loopback(port: 0))
        let program = try Pathwise([
            "emulate", "--to", "\(server.localAddress)", "--link", "name=dsl,rate=20,rtt=20",
        ])
        let line = try firstLine(of: program)
        #expect(line.hasPrefix("dsl  --path 'dsl=127.0.0.1>127.0.0.1:"))
        let port = try #require(
            line.split(separator: ":").last.flatMap { UInt16($0.dropLast()) })
        let bytes = [UInt8](repeating: 7, count: 1_000)
        _ = bytes.withUnsafeBytes {
            client.send($0, segmentSize: bytes.count, to: .loopback(port: port))
        }
        var batch = try ReceiveBatch(capacity: 1)
        var arrived = false
        for _ in 0..<500 where !arrived {
            if case .received = server.receive(into: &batch) {
                #expect(Array(batch.message(0).bytes) == bytes)
                arrived = true
            }
            usleep(10_000)
        }
        #expect(arrived)
        program.interrupt()
        let run = program.wait()
        #expect(run.status == 130)
        #expect(run.errors.isEmpty)
        #expect(run.output.contains("dsl   to server        1          1  1 028  "))
    }

    @Test func jsonIsOneObject() throws {
        let run = try Pathwise.run(
            "emulate", "--to", "127.0.0.1:9", "--link", "name=a,rate=5", "--link", "rate=1",
            "--seconds", "0.05", "--seed", "18446744073709551615", "--json")
        #expect(run.status == 0)
        let json = try JSONReading(run)
        #expect(try json.count("paths") == 2)
        #expect(try json.text("paths", 1, "name") == "p2")
        #expect(try json.text("seed") == "18446744073709551615")
        #expect(try json.number("paths", 0, "forward", "sent", "packets") == 0)
        #expect(run.errors.hasPrefix("a   --path 'a=127.0.0.1>127.0.0.1:"))
    }
}
