/// What each path did in the latest 24 hours, in a file that survives the program.
///
/// Call `add` for each path about once a second, then `advance`. A program that is killed loses a minute.
package struct History: Sendable {
    /// Seconds of a step in the file.
    package static let step = HistoryFile.step
    /// The longest time that is kept, seconds.
    package static let span = HistoryFile.step * HistoryFile.slots
    /// Steps that are collected before they are written.
    private static let unwritten = 6

    private var file: HistoryFile
    /// The step that is being collected; nil before the first.
    private var index: Int?
    private var values = History.nothing
    /// Steps that are not in the file yet.
    private var full: [(index: Int, values: [HistoryValue])] = []

    /// The step in which an unused column was looked for in vain.
    private var searched: Int?

    private static let nothing = [HistoryValue](
        repeating: HistoryValue(), count: HistoryFile.columns)

    /// Opens or makes the file.
    ///
    /// - Parameter path: of the file.
    /// - Throws: `WatchError` if it cannot be used, or another process has it.
    package init(file path: String) throws(WatchError) { file = try HistoryFile(path) }

    // MARK: adding

    /// Adds what a path did since the last call for it.
    ///
    /// Paths beyond those that the file has room for share one column, `(others)`.
    ///
    /// - Parameters:
    ///   - name: of the path; a long one is cut.
    ///   - value: what it did.
    ///   - now: Unix seconds.
    package mutating func add(_ name: String, _ value: HistoryValue, now: Int) {
        move(to: now)
        guard let index, let column = column(History.short(name), index) else { return }
        values[column].add(value)
    }

    /// Writes what is to be written; false if the disk does not take it.
    ///
    /// - Parameter now: Unix seconds.
    @discardableResult
    package mutating func advance(now: Int) -> Bool {
        move(to: now)
        return full.count < History.unwritten || flush()
    }

    /// Writes everything.
    package mutating func close() {
        move(to: .max)
        flush()
        file.close()
    }

    private mutating func move(to now: Int) {
        let next = now / History.step
        guard next != index else { return }
        if let index, values.contains(where: { $0.state != .unknown }) {
            full.append((index, values))
            // A full disk must not take memory.
            if full.count > 10 * History.unwritten { full.removeFirst() }
        }
        values = History.nothing
        index = next
    }

    @discardableResult
    private mutating func flush() -> Bool {
        var isWritten = true
        while isWritten, let first = full.first {
            isWritten = file.write(first.values, index: first.index)
            if isWritten { full.removeFirst() }
        }
        return isWritten
    }

    /// The column of a path; nil if the file cannot be written.
    private mutating func column(_ name: String, _ index: Int) -> Int? {
        if let column = file.names.firstIndex(of: name) { return column }
        // The last column is for paths that find no other.
        let own = file.names.indices.dropLast()
        if let place = own.first(where: { file.names[$0].isEmpty }) ?? unused(before: index) {
            flush()
            return file.assign(name, to: place) ? place : nil
        }
        let last = file.names.count - 1
        guard file.names[last].isEmpty else { return last }
        return file.assign("(others)", to: last) ? last : nil
    }

    /// A column in which nothing happened for a day, so that another path may take it; nil if all are
    /// in use.
    private mutating func unused(before index: Int) -> Int? {
        guard searched != index else { return nil }
        var isUsed = values.map { $0.state != .unknown }
        func take(_ values: [HistoryValue]) {
            for column in values.indices where values[column].state != .unknown {
                isUsed[column] = true
            }
        }
        file.forEach(in: index - HistoryFile.slots..<index) { _, values in take(values) }
        for step in full where step.index >= index - HistoryFile.slots { take(step.values) }
        let found = isUsed.indices.dropLast().first { !isUsed[$0] }
        if found == nil { searched = index }
        return found
    }

    /// A name that fits, whole characters of it.
    private static func short(_ name: String) -> String {
        var text = name
        while text.utf8.count >= HistoryFile.nameSize { text.removeLast() }
        return text.isEmpty ? "?" : text
    }

    // MARK: reading

    /// One path over the time that was asked for.
    package struct Line: Sendable {
        package var name: String
        /// One for each step of the answer.
        package var values: [HistoryValue]
    }

    /// What the paths did.
    ///
    /// - Parameters:
    ///   - seconds: how far back; it is limited to `span`.
    ///   - points: how many steps the answer has, at most; it is limited to 1440.
    ///   - now: Unix seconds.
    /// - Returns: the Unix seconds of the first step, the seconds of a step, and the paths that did
    ///   something.
    package mutating func read(
        seconds: Int, points: Int, now: Int
    ) -> (start: Int, step: Int, lines: [Line]) {
        flush()
        let slots = min(max(1, seconds / History.step), HistoryFile.slots)
        let points = min(max(1, points), 1440, slots)
        let width = (slots + points - 1) / points
        // Steps begin at multiples of their width, so that they do not change from read to read.
        let end = now / History.step / width + 1
        let start = end - (slots + width - 1) / width
        let blank = [HistoryValue](repeating: HistoryValue(), count: end - start)
        var lines = file.names.map { Line(name: $0, values: blank) }
        func take(_ index: Int, _ values: [HistoryValue]) {
            let place = index / width - start
            guard blank.indices.contains(place) else { return }
            for column in values.indices where values[column].state != .unknown {
                lines[column].values[place].add(values[column])
            }
        }
        file.forEach(in: start * width..<end * width, take)
        for step in full { take(step.index, step.values) }
        if let index { take(index, values) }
        lines.removeAll { line in !line.values.contains { $0.state != .unknown } }
        return (start * width * History.step, width * History.step, lines)
    }
}
