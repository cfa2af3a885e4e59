import Testing

@testable import PathTelemetry
@testable import PathTransport

@Suite struct RangeSetTests {
    @Test func joinsTouchingRangesAndKeepsOrder() {
        var set = RangeSet()
        #expect(set.insert(10..<20) == true)
        #expect(set.insert(30..<40) == true)
        #expect(set.insert(0..<5) == true)
        #expect(Array(set) == [0..<5, 10..<20, 30..<40])
        #expect(set.length == 25)
        #expect(set.insert(20..<30) == true)
        #expect(Array(set) == [0..<5, 10..<40])
        #expect(set.insert(5..<10) == true)
        #expect(Array(set) == [0..<40])
        #expect(set.length == 40)
    }

    @Test func boundRefusesWithoutChange() {
        var set = RangeSet(maximumRangeCount: 2)
        #expect(set.insert(0..<10) == true)
        #expect(set.insert(20..<30) == true)
        #expect(set.insert(40..<50) == false)
        #expect(set.insert(12..<15) == false)
        #expect(set.remove(3..<5) == false)
        #expect(Array(set) == [0..<10, 20..<30])
        #expect(set.length == 20)
        #expect(set.insert(10..<20) == true)
        #expect(Array(set) == [0..<30])
    }

    @Test func highestNumbersDoNotTrap() {
        var set = RangeSet()
        #expect(set.insert(UInt64.max - 1..<UInt64.max) == true)
        #expect(set.insert(0..<1) == true)
        #expect(set.firstGap(in: UInt64.max - 2..<UInt64.max) == UInt64.max - 2..<UInt64.max - 1)
        #expect(set.insert(0..<UInt64.max) == true)
        #expect(set.length == .max)
        #expect(set.remove(5..<UInt64.max) == true)
        #expect(Array(set) == [0..<5])
    }

    @Test func takesFromTheFront() {
        var set = RangeSet()
        set.insert(0..<10)
        set.insert(20..<25)
        #expect(set.popFirst(maxLength: 4) == 0..<4)
        #expect(set.popFirst(maxLength: 100) == 4..<10)
        #expect(set.popFirst() == 20..<25)
        #expect(set.popFirst() == nil)
        #expect(set.isEmpty)
        #expect(set.length == 0)
    }

    /// Every operation against a plain set of numbers, with queries after each.
    @Test(arguments: 0..<60)
    func agreesWithPlainSet(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed) &* 7919 &+ 1)
        let span: UInt64 = [40, 120, 400][seed % 3]
        let bound = seed % 4 == 0 ? 6 : Int.max
        var set = RangeSet(maximumRangeCount: bound)
        var model: Set<UInt64> = []
        var agrees = true
        for step in 0..<200 {
            let lower = UInt64.random(in: 0..<span, using: &random)
            let upper = lower + UInt64.random(in: 0..<max(2, span / 8), using: &random)
            let numbers = Set(lower..<upper)
            switch UInt64.random(in: 0..<10, using: &random) {
            case 0..<4:
                let expected = model.union(numbers)
                let fits = runs(expected).count <= bound
                agrees = agrees && (set.insert(lower..<upper) == fits)
                if fits { model = expected }
            case 4..<7:
                let expected = model.subtracting(numbers)
                let fits = runs(expected).count <= bound
                agrees = agrees && (set.remove(lower..<upper) == fits)
                if fits { model = expected }
            case 7:
                let most = UInt64.random(in: 1..<20, using: &random)
                let expected = runs(model).first.map { $0.prefix(Int(most)) }
                let popped = set.popFirst(maxLength: most)
                agrees = agrees && (popped.map { Array($0) } == expected.map { Array($0) })
                if let popped { model.subtract(popped) }
            default:
                if step % 50 == 0 {
                    set.removeAll()
                    model = []
                }
            }
            agrees = agrees && Array(set) == runs(model)
            agrees = agrees && (set.length == UInt64(model.count))
            agrees = agrees && (set.count == runs(model).count)
            agrees = agrees && (set.first == runs(model).first && set.last == runs(model).last)
            let gap = numbers.subtracting(model).min().map { first in
                var end = first
                while end < upper, !model.contains(end) { end += 1 }
                return first..<end
            }
            agrees = agrees && (set.firstGap(in: lower..<upper) == gap)
            if !agrees {
                Issue.record("seed \(seed), step \(step): \(Array(set)) against \(runs(model))")
                return
            }
        }
    }

    /// Sets of many blocks: pieces of every size appear, vanish, split and join at random places.
    @Test(arguments: 0..<12)
    func manyRangesAgreeWithABitmap(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed) &+ 77)
        let span = 6_000
        var set = RangeSet(maximumRangeCount: seed % 3 == 0 ? 900 : .max)
        var bitmap = [Bool](repeating: false, count: span)
        for step in 0..<12_000 {
            // Phases that fill with single numbers, that empty, and that do both with long pieces.
            let phase = step / 2_000 % 3
            let longest = phase == 2 ? 300 : 2
            let lower = Int(random.next() % UInt64(span - 1))
            let upper = min(span, lower + 1 + Int(random.next() % UInt64(longest)))
            let adds = random.next() % 10 < [9, 2, 5][phase]
            let before = set.count
            let done =
                adds
                ? set.insert(UInt64(lower)..<UInt64(upper))
                : set.remove(UInt64(lower)..<UInt64(upper))
            if done {
                for index in lower..<upper { bitmap[index] = adds }
            } else {
                #expect(before == set.maximumRangeCount)
            }
            if random.next() % 64 == 0, let popped = set.popFirst(maxLength: 7) {
                for number in popped { bitmap[Int(number)] = false }
            }
            guard step % 40 == 39 else { continue }
            let expected = runs(bitmap)
            let gap = set.firstGap(in: UInt64(lower)..<UInt64(span))
            let missing = bitmap[lower...].firstIndex(of: false)
            let agrees =
                Array(set) == expected && set.count == expected.count
                && set.length == UInt64(bitmap.count { $0 })
                && gap?.lowerBound == missing.map { UInt64($0) }
            if !agrees {
                Issue.record("seed \(seed), step \(step)")
                return
            }
        }
    }

    /// The work per piece does not grow with the number of gaps, at any position.
    @Test(arguments: ["random", "front", "middle"])
    func workIsFlatUpToTheLimit(order: String) {
        let limit = ReceiveStream.defaultRangeLimit
        var random = SeededGenerator(seed: 21)
        var places = Array(0..<UInt64(limit))
        switch order {
        case "random": places.shuffle(using: &random)
        case "front": places.reverse()
        default:
            // From both ends towards the middle: each piece falls between all others.
            places = (0..<UInt64(limit)).map { $0 % 2 == 0 ? $0 / 2 : UInt64(limit) - 1 - $0 / 2 }
        }
        var set = RangeSet(maximumRangeCount: limit)
        var work: [Double] = []
        for chunk in stride(from: 0, to: limit, by: 1_024) {
            let before = set.moves
            for place in places[chunk..<chunk + 1_024] {
                #expect(set.insert(place * 2..<place * 2 + 1) == true)
            }
            work.append(Double(set.moves - before) / 1_024)
        }
        #expect(set.count == limit)
        let end = UInt64(limit) * 2
        #expect(set.insert(end + 10..<end + 11) == false, "that is the limit")
        #expect(work.allSatisfy { $0 <= 40 }, "moves of a piece, by thousands of gaps: \(work)")
        // Closing the gaps again costs no more.
        places.shuffle(using: &random)
        let before = set.moves
        for place in places { #expect(set.insert(place * 2 + 1..<place * 2 + 2) == true) }
        #expect(Double(set.moves - before) / Double(limit) <= 40)
        #expect(Array(set) == [0..<UInt64(limit) * 2])
    }

    private func runs(_ bitmap: [Bool]) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        var start: Int?
        for index in 0...bitmap.count {
            let isIn = index < bitmap.count && bitmap[index]
            if isIn, start == nil { start = index }
            if !isIn, let first = start {
                result.append(UInt64(first)..<UInt64(index))
                start = nil
            }
        }
        return result
    }

    private func runs(_ numbers: Set<UInt64>) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        for number in numbers.sorted() {
            if let last = result.last, last.upperBound == number {
                result[result.count - 1] = last.lowerBound..<number + 1
            } else {
                result.append(number..<number + 1)
            }
        }
        return result
    }
}
