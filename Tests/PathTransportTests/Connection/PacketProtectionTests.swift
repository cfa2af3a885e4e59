import PathTelemetry
import Testing

@testable import PathTransport

@Suite struct PacketProtectionTests {
    /// One sealed packet in flight.
    private struct Sealed {
        var bytes: [UInt8]
    }

    /// One end of a connection; the other has the secrets the other way round.
    private func end(_ sending: UInt8, _ receiving: UInt8) throws -> PacketProtection {
        let one = try #require(TrafficSecret([UInt8](repeating: sending, count: 32)))
        let two = try #require(TrafficSecret([UInt8](repeating: receiving, count: 32)))
        return try PacketProtection(suite: .aes128gcm, sending: one, receiving: two, now: .zero)
    }

    private func seal(
        _ protection: inout PacketProtection, number: UInt64, path: Int = 0
    ) -> Sealed {
        var bytes = [UInt8](repeating: 0x5a, count: DataHeader.length + 20 + 16)
        let header = DataHeader(
            phase: protection.phase, path: PathID(path), receiver: 7, packetNumber: number)
        let length = bytes.withUnsafeMutableBytes {
            var writer = ByteWriter($0)
            header.write(to: &writer)
            return protection.seal(
                packet: $0, payloadLength: 20, path: PathID(path), number: number)
        }
        #expect(length == bytes.count)
        return Sealed(bytes: bytes)
    }

    private func open(
        _ protection: inout PacketProtection, _ sealed: Sealed, at now: Instant = .zero
    ) throws -> Bool {
        var bytes = sealed.bytes
        return try bytes.withUnsafeMutableBytes {
            guard let header = DataHeader(UnsafeRawBufferPointer($0)) else { return false }
            guard let length = try protection.open(packet: $0, header: header, now: now) else {
                return false
            }
            let payload = $0[DataHeader.length..<DataHeader.length + length]
            return payload.allSatisfy { $0 == 0x5a }
        }
    }

    @Test func bothFollowAChangeAndLatePacketsStillOpen() throws {
        var client = try end(1, 2)
        var server = try end(2, 1)
        let before = seal(&client, number: 0)
        let late = seal(&client, number: 1)
        let opened1 = try open(&server, before)
        #expect(opened1)
        let changed2 = try client.changeKeys(now: .zero)
        #expect(changed2)
        let after = seal(&client, number: 2)
        let opened3 = try open(&server, after)
        #expect(opened3)
        #expect(server.generation == 1, "the peer's change is followed")
        let opened4 = try open(&server, late)
        #expect(opened4, "sealed before the change, arrived after it")
        let sealed5 = seal(&server, number: 0)
        let opened5 = try open(&client, sealed5)
        #expect(opened5)
    }

    @Test func noSecondChangeBeforeThePeerFollowed() throws {
        var client = try end(1, 2)
        var server = try end(2, 1)
        let changed6 = try client.changeKeys(now: .zero)
        #expect(changed6)
        let changed7 = try client.changeKeys(now: .zero)
        #expect(!changed7)
        let sealed8 = seal(&client, number: 0)
        let opened8 = try open(&server, sealed8)
        #expect(opened8)
        let sealed9 = seal(&server, number: 0)
        let opened9 = try open(&client, sealed9)
        #expect(opened9)
        let changed10 = try client.changeKeys(now: .zero)
        #expect(changed10)
    }

    @Test func bothMayChangeAtTheSameMoment() throws {
        var client = try end(1, 2)
        var server = try end(2, 1)
        let changed11 = try client.changeKeys(now: .zero)
        #expect(changed11)
        let changed12 = try server.changeKeys(now: .zero)
        #expect(changed12)
        for number in UInt64(0)..<3 {
            let sealed13 = seal(&client, number: number)
            let opened13 = try open(&server, sealed13)
            #expect(opened13)
            let sealed14 = seal(&server, number: number)
            let opened14 = try open(&client, sealed14)
            #expect(opened14)
        }
        #expect(client.generation == 1 && server.generation == 1)
    }

    @Test func manyChangesInTurn() throws {
        var client = try end(1, 2)
        var server = try end(2, 1)
        for round in UInt64(0)..<20 {
            let changed15 = try client.changeKeys(now: .zero)
            #expect(changed15)
            let sealed16 = seal(&client, number: round)
            let opened16 = try open(&server, sealed16)
            #expect(opened16)
            let sealed17 = seal(&server, number: round)
            let opened17 = try open(&client, sealed17)
            #expect(opened17)
            #expect(client.generation == Int(round) + 1 && server.generation == client.generation)
        }
    }

    /// Path and packet number are in the nonce: a packet cannot be decrypted with others.
    @Test func aPacketIsBoundToItsPathAndNumber() throws {
        var client = try end(1, 2)
        var server = try end(2, 1)
        let sealed = seal(&client, number: 5, path: 1)
        for index in sealed.bytes.indices {
            var forged = sealed
            forged.bytes[index] ^= 1
            let opened18 = try open(&server, forged)
            #expect(!opened18, "byte \(index)")
        }
        // A flip in the kind of packet is not even taken for one.
        #expect(server.forgeries >= UInt64(sealed.bytes.count - 1))
        let opened19 = try open(&server, sealed)
        #expect(opened19)
    }

    @Test func keysAreChangedByAge() throws {
        var client = try end(1, 2)
        let early = client.wantsChange(now: .zero + .seconds(119))
        #expect(!early)
        let due = client.wantsChange(now: .zero + .seconds(120))
        #expect(due)
        let changed20 = try client.changeKeys(now: .zero + .seconds(120))
        #expect(changed20)
        let again = client.wantsChange(now: .zero + .seconds(300))
        #expect(!again, "the peer has not followed")
    }
}
