import Foundation
import PathTelemetry
import Testing

@testable import PathTransport

/// CPU time that the calling thread spends in `body`: other load on the machine counts little.
private func cpuTime(_ body: () throws -> Void) rethrows -> Duration {
    func now() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
    let start = now()
    try body()
    return now() - start
}

/// Figures, not assertions of speed.
///
/// `PATHWISE_BENCH=1 swift test -c release -Xswiftc -enable-testing --filter CryptoBenchmark`
@Suite(
    .serialized,
    .enabled(
        if: ProcessInfo.processInfo.environment["PATHWISE_BENCH"] == "1",
        "set PATHWISE_BENCH=1 to measure"))
struct CryptoBenchmark {
    @Test(arguments: CipherSuite.allCases)
    func packets(suite: CipherSuite) throws {
        let secret = try #require(TrafficSecret([UInt8](repeating: 1, count: 32)))
        let (header, payload, rounds) = (16, 1_400, 100_000)
        var sender = try PacketCipher(suite: suite, secret: secret)
        var receiver = try PacketCipher(suite: suite, secret: secret)
        var buffer = [UInt8](repeating: 3, count: header + payload + 16)
        var (sealTime, openTime) = (Duration.seconds(1_000), Duration.seconds(1_000))
        var failed = 0
        buffer.withUnsafeMutableBytes { packet in
            for _ in 0..<5 {
                let sealing = cpuTime {
                    for number in 0..<UInt64(rounds) {
                        let length = sender.seal(
                            packet: packet, headerLength: header, payloadLength: payload, path: 1,
                            packetNumber: number)
                        if length == 0 { failed += 1 }
                    }
                }
                sealTime = min(sealTime, sealing)
                // A sealed packet opens once, so each round restores it outside the clock.
                let length = sender.seal(
                    packet: packet, headerLength: header, payloadLength: payload, path: 1,
                    packetNumber: 9)
                #expect(length == packet.count)
                let sealed = Array(packet)
                let opening = cpuTime {
                    for _ in 0..<rounds {
                        sealed.withUnsafeBytes { packet.copyMemory(from: $0) }
                        let length = receiver.open(
                            packet: packet, headerLength: header, path: 1, packetNumber: 9)
                        if length != payload { failed += 1 }
                    }
                }
                openTime = min(openTime, opening)
            }
        }
        #expect(failed == 0)
        func rate(_ time: Duration) -> String {
            let nanoseconds = time / .nanoseconds(rounds)
            return String(
                format: "%.0f ns, %.2f GB/s", nanoseconds, Double(payload) / nanoseconds)
        }
        print("\(suite.name), 1400 bytes: seal \(rate(sealTime)); open \(rate(openTime)) with copy")
    }

    @Test func handshakes() throws {
        let (client, server) = (try PrivateKey.generate(), try PrivateKey.generate())
        let rounds = 500
        var first: [UInt8] = []
        var (initiate, respond, refuse) = (Duration.zero, Duration.zero, Duration.zero)
        for _ in 0..<rounds {
            var responder = try NoiseHandshake(
                responder: server, pattern: .ik, cipher: .aesgcm)
            initiate += try cpuTime {
                var initiator = try NoiseHandshake(
                    initiator: client, remoteStaticKey: server.publicKey, pattern: .ik,
                    cipher: .aesgcm)
                first = try initiator.writeMessage()
            }
            refuse += try cpuTime {
                do {
                    _ = try responder.readMessage(first.span.bytes) { _ in false }
                    Issue.record("a refused key was admitted")
                } catch CryptoError.peerRefused { return }
            }
            respond += try cpuTime {
                _ = try responder.readMessage(first)
                _ = try responder.writeMessage()
            }
        }
        print(
            "Noise IK: first message \(initiate / rounds), read and answer \(respond / rounds),",
            "refuse a stranger \(refuse / rounds)")
        let message = [UInt8](repeating: 1, count: 112)
        let guardMAC = try HandshakeMAC(responder: server.publicKey)
        let mac = try guardMAC.mac(of: message.span.bytes)
        var valid = 0
        let checking = cpuTime {
            for _ in 0..<20_000
            where guardMAC.isValid(mac.span.bytes, of: message.span.bytes) {
                valid += 1
            }
        }
        #expect(valid == 20_000)
        print("mac1 of 112 bytes: \(checking / 20_000)")
    }
}
