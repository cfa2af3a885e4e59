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
        #expect(set.contains(.max - 1) == true)
        #expect(set.contains(.max) == false)
        #expect(set.firstMissing(from: .max - 1) == .max)
        #expect(set.insert(0..<UInt64.max) == true)
        #expect(set.length == .max)
        #expect(set.remove(5..<UInt64.max) == true)
        #expect(Array(set) == [0..<5])
    }

    @Test func takesFromTheFrontAndBack() {
        var set = RangeSet()
        set.insert(0..<10)
        set.insert(20..<25)
        #expect(set.popFirst(maxLength: 4) == 0..<4)
        #expect(set.popFirst(maxLength: 100) == 4..<10)
        #expect(set.popLast() == 20..<25)
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
            case 8:
                let expected = model.filter { $0 >= lower }
                if lower % 4 == 0 {
                    set.remove(below: lower)
                    model = expected
                }
            default:
                if lower % 8 == 0, let tail = set.popLast() {
                    agrees = agrees && (runs(model).last == tail)
                    model.subtract(tail)
                }
            }
            agrees = agrees && Array(set) == runs(model)
            agrees = agrees && (set.length == UInt64(model.count))
            agrees = agrees && (set.contains(lower) == model.contains(lower))
            agrees = agrees && (set.covers(lower..<upper) == numbers.isSubset(of: model))
            agrees = agrees && (set.overlaps(lower..<upper) == !numbers.isDisjoint(with: model))
            var missing = lower
            while model.contains(missing) { missing += 1 }
            agrees = agrees && (set.firstMissing(from: lower) == missing)
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

    @Test(arguments: 0..<20)
    func subtractsSets(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var sets = [RangeSet(), RangeSet()]
        var models: [Set<UInt64>] = [[], []]
        for index in 0..<60 {
            let lower = UInt64.random(in: 0..<500, using: &random)
            let upper = lower + UInt64.random(in: 0..<20, using: &random)
            sets[index % 2].insert(lower..<upper)
            models[index % 2].formUnion(lower..<upper)
        }
        #expect(sets[0].subtract(sets[1]) == true)
        #expect(Array(sets[0]) == runs(models[0].subtracting(models[1])))
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
