import PathLearning
import PathTelemetry

/// A decision in its form in the ring.
struct DecisionFrame {
    let number: UInt64
    let time: Int64
    let bytes: Int64
    /// Bytes that wait to be sent, minus those of the burst.
    let bytesBehind: Int64
    let deadline: Int64
    let draw: UInt64
    let isMessage: Bool
    /// 255 means none.
    let currentPath: UInt8
    let candidates: Int
    let actions: Int
    let chosen: Int
    let isForced: Bool
    /// `CandidateWord.count` words per candidate.
    let words: UnsafePointer<UInt64>
    private let probabilities: UnsafePointer<UInt64>
    private let sets: UnsafePointer<UInt16>

    /// Computes deferred probabilities in place; the frame belongs to the reader until it is freed.
    ///
    /// - Parameter frame: the end of the frame's header.
    init(_ frame: UnsafeRawPointer) {
        var reader = FrameReader(pointer: frame)
        number = reader.take(UInt64.self)
        time = reader.take(Int64.self)
        bytes = reader.take(Int64.self)
        bytesBehind = reader.take(Int64.self)
        deadline = reader.take(Int64.self)
        draw = reader.take(UInt64.self)
        isMessage = reader.take(UInt8.self) == TrafficClass.message.rawValue
        currentPath = reader.take(UInt8.self)
        candidates = Int(reader.take(UInt8.self))
        actions = Int(reader.take(UInt8.self))
        chosen = Int(reader.take(UInt8.self))
        isForced = reader.take(UInt8.self) != 0
        let openAt = reader.pointer
        let members = reader.take(UInt16.self)
        words = reader.pointer.assumingMemoryBound(to: UInt64.self)
        let after = words + candidates &* CandidateWord.count
        probabilities = after
        sets = UnsafeRawPointer(after + actions).assumingMemoryBound(to: UInt16.self)
        guard members != 0 else { return }
        var rest = FrameReader(pointer: UnsafeRawPointer(sets + actions))
        var means = InlineArray<16, Double>(repeating: 0)
        var deviations = InlineArray<16, Double>(repeating: 0)
        let count = min(actions, PathID.limit)
        for index in 0..<count {
            means[index] = Double(bitPattern: after[index])
            deviations[index] = rest.takeDouble()
        }
        let open = ActionDistribution.Open(members: members, epsilon: rest.takeDouble())
        let shares = open.shares(means, deviations, count: count, chosen: chosen)
        let target = UnsafeMutablePointer(mutating: probabilities)
        for index in 0..<count { target[index] = shares[index].bitPattern }
        UnsafeMutableRawPointer(mutating: openAt).storeBytes(of: 0, as: UInt16.self)
    }

    @inline(__always)
    func probability(_ index: Int) -> UInt64 { probabilities[index] }
    @inline(__always)
    func action(_ index: Int) -> UInt16 { sets[index] }
}
