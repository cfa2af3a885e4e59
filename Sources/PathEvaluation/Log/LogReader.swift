import Glibc

/// Reads a CSV file of logged bandit data.
///
/// The first line names the columns: `action`, `reward`, `pscore`, `pi_e_0`.., and optionally
/// `pi_b_0`.., `q_hat_0`.., `x0`..; others are ignored. An invalid row ends the reading with an
/// error that names its row and column, unless rows may be skipped.
public struct LogReader {
    private let path: String
    private let columnNames: LogColumns
    private let needsPolicy: Bool
    /// Whether actions are counted as they come, because no column names them.
    private var countsActions = false
    private var log: BanditLog
    private var names: [String] = []
    /// Data rows read, including refused ones.
    private var row = 0
    private var hasLogging = false
    private var hasModel = false
    // One row before it is accepted: action, reward, propensity, then the other columns by kind.
    private var fields: [Double] = []
    /// The position of each column in `fields`; -1 for an ignored column.
    private var places: [Int] = []
    private var evaluated = 0..<0
    private var logging = 0..<0
    private var expected = 0..<0
    private var context = 0..<0

    private enum Role {
        case other, action, reward, propensity
        case evaluated(Int)
        case logging(Int)
        case expected(Int)
        case context(Int)
    }

    /// Tolerance of a probability: other tools write six digits, rounded or truncated.
    static let rounding = 1e-6
    /// Sums of probabilities that differ less than this from one are left unchanged.
    private static let exact = 1e-9
    /// The most actions of a log without columns for each action.
    private static let mostActions = 10_000

    private init(
        path: String, _ columnNames: LogColumns, _ skipsRefused: Bool, _ needsPolicy: Bool
    ) {
        self.path = path
        self.columnNames = columnNames
        self.needsPolicy = needsPolicy
        log = BanditLog(actionCount: 1)
    }

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - columns: the names of the columns, or another kind of file.
    ///   - skipsRefused: skips invalid rows and counts them.
    ///   - needsPolicy: whether the log has to have a policy to be evaluated.
    public static func read(
        _ path: String, columns: LogColumns = .standard, skipsRefused: Bool = false,
        needsPolicy: Bool = true
    ) throws(EvaluationError) -> BanditLog {
        if columns.format == .decisionService {
            return try DecisionServiceReader.read(path, skipsRefused: skipsRefused)
        }
        var reader = LogReader(path: path, columns, skipsRefused, needsPolicy)
        var isFirst = true
        try LineReader.forEachLine(of: path) { line, fileBytes throws(EvaluationError) in
            if isFirst {
                isFirst = false
                return try reader.header(line)
            }
            guard !line.isEmpty else { return }
            reader.row += 1
            if reader.row == 1 {
                reader.log.reserve(rows: min(fileBytes, 1 << 32) / (line.count + 1) + 1)
            }
            do throws(EvaluationError) { try reader.take(line) } catch {
                guard skipsRefused else { throw error }
                reader.log.refuse(error)
            }
        }
        guard !isFirst else {
            throw .log(path: path, row: nil, column: nil, problem: "is empty")
        }
        guard reader.log.count > 0 else {
            throw .log(path: path, row: nil, column: nil, problem: "has no usable rows")
        }
        return reader.log
    }

    // MARK: header

    private mutating func header(_ line: UnsafeBufferPointer<UInt8>) throws(EvaluationError) {
        var bytes = line[...]
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes = bytes.dropFirst(3) }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
            throw .log(
                path: path, row: nil, column: nil,
                problem: "its first line is not text; give a CSV file with a line of column names")
        }
        names = bytes.split(separator: 0x2c, omittingEmptySubsequences: false).map { field in
            let text = String(decoding: field, as: UTF8.self)
            return String(
                text.drop { " \"\t".contains($0) }.reversed().drop { " \"\t".contains($0) }
                    .reversed())
        }
        var seen: Set<String> = []
        var counts = (evaluated: 0, logging: 0, expected: 0, context: 0)
        var columns: [Role] = []
        for column in names {
            let name = columnNames.name(column)
            var role = LogReader.role(name)
            if case .other = role {
            } else if !seen.insert(name).inserted {
                throw .log(path: path, row: nil, column: name, problem: "occurs twice")
            }
            switch role {
            case .evaluated(let index): counts.evaluated = max(counts.evaluated, index + 1)
            case .logging(let index): counts.logging = max(counts.logging, index + 1)
            case .expected(let index): counts.expected = max(counts.expected, index + 1)
            case .context(let index): counts.context = max(counts.context, index + 1)
            case .other, .action, .reward, .propensity: break
            }
            if name.isEmpty { role = .other }
            columns.append(role)
        }
        let named = [counts.evaluated, counts.logging, counts.expected]
        let actions = counts.evaluated > 0 || needsPolicy ? counts.evaluated : named.max() ?? 0
        countsActions = actions == 0
        var needed = ["action", "reward", "pscore"] + (needsPolicy ? ["pi_e_0"] : [])
        needed += (0..<counts.evaluated).map { "pi_e_\($0)" }
        if counts.logging > 0 { needed += (0..<max(actions, counts.logging)).map { "pi_b_\($0)" } }
        if counts.expected > 0 {
            needed += (0..<max(actions, counts.expected)).map { "q_hat_\($0)" }
        }
        needed += (0..<counts.context).map { "x\($0)" }
        for name in needed where !seen.contains(name) {
            throw .log(
                path: path, row: nil, column: columnNames.original(name),
                problem: "is missing; required are action, reward, pscore and pi_e_0.. (--columns "
                    + "names other columns, --policy a policy instead of pi_e)")
        }
        guard max(counts.logging, counts.expected) <= actions else {
            throw .log(
                path: path, row: nil, column: "pi_e_\(actions)",
                problem: "is missing: pi_b or q_hat has more actions")
        }
        log = BanditLog(actionCount: max(1, actions), contextCount: counts.context)
        hasLogging = counts.logging > 0
        hasModel = counts.expected > 0
        evaluated = 3..<3 + counts.evaluated
        logging = evaluated.upperBound..<evaluated.upperBound + (hasLogging ? actions : 0)
        expected = logging.upperBound..<logging.upperBound + (hasModel ? actions : 0)
        context = expected.upperBound..<expected.upperBound + counts.context
        fields = [Double](repeating: 0, count: context.upperBound)
        places = columns.map { role in
            switch role {
            case .other: -1
            case .action: 0
            case .reward: 1
            case .propensity: 2
            case .evaluated(let index): evaluated.lowerBound + index
            case .logging(let index): logging.lowerBound + index
            case .expected(let index): expected.lowerBound + index
            case .context(let index): context.lowerBound + index
            }
        }
    }

    /// Whether a name is that of a column that is read.
    static func isColumn(_ name: String) -> Bool {
        if case .other = role(name) { false } else { true }
    }

    private static func role(_ name: String) -> Role {
        switch name {
        case "action": return .action
        case "reward": return .reward
        case "pscore": return .propensity
        default: break
        }
        func number(after prefix: String) -> Int? {
            guard name.hasPrefix(prefix) else { return nil }
            let digits = name.dropFirst(prefix.count)
            guard !digits.isEmpty, digits.count <= 4, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
                digits == "0" || !digits.hasPrefix("0")
            else { return nil }
            return Int(digits)
        }
        if let index = number(after: "pi_e_") { return .evaluated(index) }
        if let index = number(after: "pi_b_") { return .logging(index) }
        if let index = number(after: "q_hat_") { return .expected(index) }
        if let index = number(after: "x") { return .context(index) }
        return .other
    }

    // MARK: rows

    private mutating func take(_ line: UnsafeBufferPointer<UInt8>) throws(EvaluationError) {
        guard let base = line.baseAddress else { return }
        let end = line.count
        var start = 0
        // Reads column by column while the fields are plain numbers, which they nearly always are.
        let plain = places.withUnsafeBufferPointer { places in
            fields.withUnsafeMutableBufferPointer { fields in
                for column in 0..<places.count {
                    guard start < end, places[column] >= 0,
                        let (value, length) = NumberParser.prefix(base + start, end &- start)
                    else { return column }
                    let stop = start &+ length
                    guard stop == end || base[stop] == 0x2c else { return column }
                    fields[places[column]] = value
                    start = stop &+ 1
                }
                return places.count
            }
        }
        for column in plain..<places.count {
            guard start <= end else {
                throw refusal(
                    column, "is missing: the row has \(column) of \(places.count) fields")
            }
            var stop = start
            if stop < end, base[stop] == 0x22 {
                stop += 1
                while stop < end, base[stop] != 0x22 { stop += 1 }
            }
            while stop < end, base[stop] != 0x2c { stop &+= 1 }
            if places[column] >= 0 {
                fields[places[column]] = try number(
                    column, UnsafeBufferPointer(start: base + start, count: stop - start))
            }
            start = stop + 1
        }
        guard start == end + 1 else {
            throw .log(
                path: path, row: row, column: nil,
                problem: "has more than its \(places.count) fields")
        }
        try check()
        log.actions.append(Int32(fields[0]))
        log.rewards.append(fields[1])
        log.propensities.append(fields[2])
        fields.withUnsafeBufferPointer { fields in
            LogReader.append(fields, evaluated, to: &log.evaluated)
            LogReader.append(fields, logging, to: &log.logging)
            LogReader.append(fields, expected, to: &log.expected)
            LogReader.append(fields, context, to: &log.contexts)
        }
    }

    @inline(__always)
    private static func append(
        _ fields: UnsafeBufferPointer<Double>, _ range: Range<Int>, to column: inout [Double]
    ) {
        for index in range { column.append(fields[index]) }
    }

    private func number(
        _ column: Int, _ field: UnsafeBufferPointer<UInt8>
    ) throws(EvaluationError) -> Double {
        if let value = NumberParser.double(field), value.isFinite { return value }
        if let value = LogReader.trimmed(field) { return value }
        let text = String(decoding: field.prefix(40), as: UTF8.self)
        throw refusal(column, field.isEmpty ? "is empty" : "'\(text)' is not a finite number")
    }

    /// Parses the number between spaces or quotes.
    private static func trimmed(_ field: UnsafeBufferPointer<UInt8>) -> Double? {
        func isMargin(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x22 || byte == 0x09 }
        var inner = field[...]
        while let first = inner.first, isMargin(first) { inner.removeFirst() }
        while let last = inner.last, isMargin(last) { inner.removeLast() }
        guard inner.count < field.count,
            let value = NumberParser.double(UnsafeBufferPointer(rebasing: inner)), value.isFinite
        else { return nil }
        return value
    }

    /// Refuses an invalid row; rounded probabilities are divided by their sum.
    private mutating func check() throws(EvaluationError) {
        let (action, propensity) = (fields[0], fields[2])
        if countsActions, action >= Double(log.actionCount), action < Double(LogReader.mostActions),
            action == action.rounded()
        {
            log.actionCount = Int(action) + 1
        }
        guard action >= 0, action < Double(log.actionCount), action == action.rounded() else {
            throw refusal(
                name: "action", "\(action) is not one of the actions 0 to \(log.actionCount - 1)")
        }
        guard propensity > 0, propensity <= 1 + LogReader.rounding else {
            throw refusal(
                name: "pscore",
                propensity == 0
                    ? "is 0: the logged action had no probability"
                    : "\(propensity) is not a probability above 0 and up to 1")
        }
        guard propensity >= EvaluationLimit.propensity else {
            throw refusal(
                name: "pscore",
                "\(propensity) is too small: squares of weights are added up, so give at least "
                    + "\(EvaluationLimit.propensity)")
        }
        fields[2] = min(1, propensity)
        try checkSize(1..<2)
        try checkSize(expected.lowerBound..<context.upperBound)
        var isRounded = evaluated.isEmpty ? false : try normalise(evaluated, "pi_e_")
        if hasLogging {
            let recorded = fields[logging.lowerBound + Int(action)]
            guard (recorded - propensity).magnitude <= 2 * LogReader.rounding else {
                throw refusal(
                    name: "pscore",
                    "\(propensity) is not pi_b_\(Int(action)), which is \(recorded)")
            }
            if try normalise(logging, "pi_b_") {
                isRounded = true
                fields[2] = min(1, fields[logging.lowerBound + Int(action)])
            }
        }
        if isRounded { log.renormalised += 1 }
    }

    /// Refuses numbers whose squares cannot be summed.
    private func checkSize(_ range: Range<Int>) throws(EvaluationError) {
        for place in range where !(fields[place].magnitude <= EvaluationLimit.number) {
            throw refusal(
                places.firstIndex(of: place) ?? 0,
                "\(fields[place]) is too large: squares are added up, so give at most "
                    + "\(EvaluationLimit.number), in a larger unit")
        }
    }

    /// Checks that probabilities sum to one within rounding, and divides them by their sum; returns
    /// whether that changed them.
    private mutating func normalise(
        _ row: Range<Int>, _ prefix: String
    ) throws(EvaluationError) -> Bool {
        var sum = 0.0
        for index in row {
            guard fields[index] >= 0, fields[index] <= 1 + LogReader.rounding else {
                throw refusal(
                    name: "\(prefix)\(index - row.lowerBound)",
                    "\(fields[index]) is not a probability")
            }
            sum += fields[index]
        }
        // The tolerance is slightly larger, because sums are rounded too.
        guard (sum - 1).magnitude <= 1.001 * LogReader.rounding * Double(row.count) else {
            throw refusal(name: prefix + "0", "and on sum to \(sum), not to 1")
        }
        guard (sum - 1).magnitude > LogReader.exact else { return false }
        for index in row { fields[index] /= sum }
        return true
    }

    private func refusal(_ column: Int, _ problem: String) -> EvaluationError {
        refusal(name: names[column], problem)
    }

    private func refusal(name: String, _ problem: String) -> EvaluationError {
        .log(path: path, row: row, column: columnNames.original(name), problem: problem)
    }
}
