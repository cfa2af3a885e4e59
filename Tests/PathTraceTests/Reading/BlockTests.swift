import PathLearning
import Testing

@testable import PathTelemetry
@testable import PathTrace

@Suite struct BlockTests {
    /// Test vectors of the xxHash repository (XXH64, seed 0).
    @Test(
        arguments: [
            ("", 0xef46_db37_51d8_e999), ("a", 0xd24e_c4f1_a98c_6e5b),
            ("abc", 0x44bc_2cf5_ad77_0999),
            (
                "Nobody inspects the spammish repetition", 0xfbce_a83c_8a37_8bf1
            ),
        ] as [(String, UInt64)])
    func hashIsXXH64(text: String, hash: UInt64) {
        let bytes = Array(text.utf8)
        #expect(bytes.withUnsafeBytes { XXHash64.value($0) } == hash)
    }

    @Test func wordsOfACandidateAreThoseOfItsFeatures() {
        #expect(CandidateWord.featureCount == FeatureVector.count)
        #expect(CandidateWord.predictedDelivery == FeatureVector.count)
        #expect(CandidateWord.identity == FeatureVector.count + 12)
        #expect(CandidateWord.count == FeatureVector.count + 13)
        #expect(CandidateWord.features.nonzeroBitCount == FeatureVector.count)
        #expect(CandidateWord.all.nonzeroBitCount == CandidateWord.count)
        let shared = Feature.burstBytes.rawValue...Feature.deadline.rawValue
        #expect(CandidateWord.sharedWords == shared)
        #expect(CandidateWord.shared == shared.reduce(0) { $0 | 1 << UInt64($1) })
        #expect(DecisionBlockFormat.columnCount == DecisionBlockFormat.Column.allCases.count)
        #expect(DecisionBlockFormat.chains == PathID.limit + 1)
        #expect(DecisionBlockBuilder.decisionLimit * 2 == DecisionBlockFormat.decisionLimit)
    }

    @Test func integersComeBackWhateverTheirRange() throws {
        var generator = SeededGenerator(seed: 4)
        let extremes: [Int64] = [.min, .max, 0, -1, 1, 255, 256, 65_535, 65_536, 1 << 32]
        for round in 0..<200 {
            let values: [Int64] = (0..<(1 + generator.below(40))).map { _ in
                switch round % 5 {
                case 0: 77
                case 1: Int64(generator.below(256)) - 100
                case 2: Int64(generator.below(70_000))
                case 3: extremes[generator.below(extremes.count)]
                default: Int64(bitPattern: generator.next())
                }
            }
            var bytes = BlockBytes()
            values.withUnsafeBufferPointer { IntegerColumn.put($0, into: &bytes) }
            var read = [Int64](repeating: 0, count: values.count)
            var reader = BlockReader(bytes.bytes)
            try read.withUnsafeMutableBufferPointer {
                try IntegerColumn.take(into: $0, from: &reader)
            }
            #expect(read == values)
            #expect(reader.remaining == 0)
            if round % 5 == 0 { #expect(bytes.count == 9) }
            if round % 5 == 1 { #expect(bytes.count <= 9 + values.count) }
        }
    }

    @Test func wordsComeBackBitForBit() throws {
        var generator = SeededGenerator(seed: 5)
        for round in 0..<300 {
            let content: WordColumn.Content = [.number, .integer, .seconds][round % 3]
            let isNarrow = round % 2 == 0
            let values: [UInt64] = (0..<generator.below(30)).map { _ in
                switch (content, isNarrow) {
                case (.integer, true): UInt64(generator.below(1 << 32))
                case (.seconds, true):
                    (Double(generator.below(4_000_000_000)) * 1e-9).bitPattern
                default: generator.anyDouble().bitPattern
                }
            }
            var bytes = BlockBytes()
            values.withUnsafeBufferPointer { WordColumn.put($0, content, into: &bytes) }
            if isNarrow, content != .number { #expect(bytes.count == 5 + 4 * values.count) }
            var reader = BlockReader(bytes.bytes)
            let column = try WordColumn.take(from: &reader, limit: 30)
            var read = [UInt64](repeating: 0, count: values.count)
            read.withUnsafeMutableBufferPointer {
                if let base = $0.baseAddress { column.expand(into: base) }
            }
            #expect(read == values)
            #expect(reader.remaining == 0)
        }
        // Minus zero is no whole number of nanoseconds.
        var bytes = BlockBytes()
        [(-0.0).bitPattern].withUnsafeBufferPointer {
            WordColumn.put($0, .seconds, into: &bytes)
        }
        #expect(bytes.count == 13)
    }

    @Test(arguments: [0, 7, -7, 10, 99, 100, .max, .min, 1_234_567_890_123] as [Int64])
    func numbersAreWrittenInDecimal(value: Int64) {
        var bytes = BlockBytes()
        bytes.put(decimal: value)
        #expect(String(decoding: bytes.bytes, as: UTF8.self) == String(value))
    }

    /// A decoder never reads beyond a block, allocates much or traps, for any bytes; the hash is
    /// made valid, so that the checks behind it are reached.
    @Test func damagedBlocksAreRefusedAndNeverTrap() throws {
        var generator = SeededGenerator(seed: 6)
        let ring = TraceRing(bytes: 1 << 20, whenFull: .drop)
        let builder = DecisionBlockBuilder()
        for number in 0..<40 {
            let record = generator.decision(number: UInt64(number * 2), time: .zero)
            ring.record(record, session: SessionID(rawValue: 1))
        }
        var outcomes = OutcomeStore()
        for number in 0..<40 {
            ring.record(
                generator.outcome(of: UInt64(number), at: .zero), session: SessionID(rawValue: 1))
        }
        _ = try ring.drain(upTo: ring.head, limit: .max) { kind, _, frame in
            if kind == .decision { builder.add(DecisionFrame(frame)) }
            if kind == .outcome, generator.below(4) > 0 {
                let outcome = OutcomeFrame(frame)
                _ = outcomes.set(Int(outcome.number), outcome)
            }
        }
        var data = BlockBytes()
        builder.encode(into: &data)
        let decisions = Array(data.bytes)
        var text = BlockBytes()
        outcomes.encode(after: 0, into: &data, text: &text)
        let outcomeBytes = Array(data.bytes)
        var decoder = DecisionBlockDecoder(columns: .all)
        var chosen = DecisionBlockDecoder(columns: [.chosenFeatures])
        var features = DecisionBlockDecoder(columns: [.candidateFeatures, .distributions])
        var batch = DecisionBatch()
        var store = OutcomeStore()
        try decisions.withUnsafeBytes {
            try decoder.decode($0, session: SessionID(rawValue: 1), into: &batch)
        }
        #expect(batch.numbers == (0..<40).map { $0 * 2 })
        try outcomeBytes.withUnsafeBytes { try store.decode($0, limit: 40) }
        #expect(store.count == outcomes.count)
        var refused = 0
        for round in 0..<6000 {
            var content = round % 2 == 0 ? decisions : outcomeBytes
            content.removeLast(8)
            switch generator.below(4) {
            case 0: content.removeLast(generator.below(content.count))
            case 1: content[generator.below(min(120, content.count))] ^= 1 << UInt8(round & 7)
            default:
                for _ in 0...generator.below(4) {
                    content[generator.below(content.count)] = UInt8(
                        truncatingIfNeeded: generator.next())
                }
            }
            let hash = content.withUnsafeBytes { XXHash64.value($0) }
            withUnsafeBytes(of: hash.littleEndian) { content += Array($0) }
            do throws(BlockFault) {
                let failure: BlockFault? = content.withUnsafeBytes { bytes in
                    do throws(BlockFault) {
                        let session = SessionID(rawValue: 1)
                        switch round % 6 {
                        case 0: try decoder.decode(bytes, session: session, into: &batch)
                        case 2: try chosen.decode(bytes, session: session, into: &batch)
                        case 4: try features.decode(bytes, session: session, into: &batch)
                        default: try store.decode(bytes, limit: 40)
                        }
                        return nil
                    } catch {
                        return error
                    }
                }
                if let failure { throw failure }
            } catch {
                refused += 1
                #expect(!error.what.isEmpty)
            }
        }
        #expect(refused > 2000)
        // Any flipped bit is found by the hash.
        for _ in 0..<200 {
            var content = decisions
            content[generator.below(content.count)] ^= 1 << UInt8(generator.below(8))
            let isRefused = content.withUnsafeBytes { bytes in
                do throws(BlockFault) {
                    try decoder.decode(bytes, session: SessionID(rawValue: 1), into: &batch)
                    return false
                } catch {
                    return true
                }
            }
            #expect(isRefused)
        }
    }
}
