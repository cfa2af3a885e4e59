import DenseMath

/// Writes numbers in a fixed order, or reads them back in the same order, so that one function
/// describes both directions of a file.
///
/// Reading never traps: numbers that are missing or impossible mark the stream as damaged and read
/// as zero. Every number in the file is finite.
struct NumberStream {
    /// The numbers written so far, or to be read.
    private(set) var numbers: [Double]
    private(set) var isDamaged = false
    private let isReading: Bool
    private var position: Int
    private let end: Int

    /// Makes a stream to write to.
    init() {
        numbers = []
        isReading = false
        (position, end) = (0, 0)
    }

    /// Makes a stream that reads some of the numbers.
    init(reading numbers: [Double], _ range: Range<Int>) {
        self.numbers = numbers
        isReading = true
        (position, end) = (range.lowerBound, min(range.upperBound, numbers.count))
    }

    /// Whether all numbers were read and none was impossible.
    var isComplete: Bool { isReading && !isDamaged && position == end }

    /// Marks what was read as impossible.
    mutating func refuse() { isDamaged = true }

    /// The next number; NaN and infinite ones cannot be stored, and damage the stream.
    mutating func pass(_ number: inout Double) {
        guard isReading else {
            if !number.isFinite { isDamaged = true }
            return numbers.append(number)
        }
        guard position < end else {
            isDamaged = true
            number = 0
            return
        }
        number = numbers[position]
        position += 1
    }

    /// A whole number from zero to 10^12, so that a million of them can be added.
    mutating func pass(_ count: inout Int) {
        var number = Double(count)
        pass(&number)
        guard isReading else { return }
        guard number >= 0, number <= 1e12, number == number.rounded() else {
            isDamaged = true
            count = 0
            return
        }
        count = Int(number)
    }

    mutating func pass(_ flag: inout Bool) {
        var number = flag ? 1 : 0
        pass(&number)
        flag = number == 1
    }

    mutating func pass(_ sum: inout CompensatedSum) {
        var state = sum.state
        pass(&state.sum)
        pass(&state.correction)
        sum.state = state
    }

    /// A number that is `none` without data, which may be infinite.
    mutating func pass(_ number: inout Double, unless none: Double) {
        var exists = number != none
        pass(&exists)
        guard exists else {
            number = none
            return
        }
        pass(&number)
    }

    /// An optional value, for which `empty` is a start.
    mutating func pass<Value>(
        _ value: inout Value?, empty: Value, _ each: (inout Value, inout NumberStream) -> Void
    ) {
        var exists = value != nil
        pass(&exists)
        guard exists else {
            value = nil
            return
        }
        var whole = value ?? empty
        each(&whole, &self)
        value = whole
    }

    /// An array whose length is stored, too; a length beyond the rest of the file is refused.
    mutating func pass<Element>(
        _ array: inout [Element], empty: @autoclosure () -> Element,
        _ each: (inout Element, inout NumberStream) -> Void
    ) {
        var count = array.count
        pass(&count)
        if isReading {
            guard count <= end - position else {
                isDamaged = true
                array = []
                return
            }
            array = (0..<count).map { _ in empty() }
        }
        for index in array.indices { each(&array[index], &self) }
    }

    /// A text, as its bytes.
    mutating func pass(_ text: inout String) {
        var bytes = text.utf8.map(Int.init)
        pass(&bytes, empty: 0) { byte, stream in stream.pass(&byte) }
        guard isReading else { return }
        guard bytes.allSatisfy({ $0 < 256 }) else {
            isDamaged = true
            return
        }
        text = String(decoding: bytes.map { UInt8($0) }, as: UTF8.self)
    }
}
