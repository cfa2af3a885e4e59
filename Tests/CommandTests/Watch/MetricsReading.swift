import Testing

/// The text of metrics, read as Prometheus does: what is not in the format is recorded as a problem.
struct MetricsReading {
    /// The values by name and labels, as `name{a="b"}`.
    private(set) var values: [String: Double] = [:]
    /// `counter` or `gauge` by name.
    private(set) var kinds: [String: String] = [:]
    private(set) var problems: [String] = []

    init(_ text: String) {
        var family = ""
        var helped: Set<String> = []
        if !text.hasSuffix("\n") { problems.append("the last line has no end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            if line.hasPrefix("# HELP ") {
                let name = String(words[2])
                if !helped.insert(name).inserted { problems.append("\(name) stands twice") }
                if words.count < 4 { problems.append("\(name) has no help") }
            } else if line.hasPrefix("# TYPE ") {
                family = String(words[2])
                kinds[family] = words.count == 4 ? String(words[3]) : ""
                if !helped.contains(family) { problems.append("\(family) has no help") }
                check(family)
            } else {
                take(line, family)
            }
        }
    }

    private mutating func check(_ name: String) {
        let plain = name.utf8.allSatisfy {
            (97...122).contains($0) || $0 == 95 || (48...57).contains($0)
        }
        if !plain { problems.append("\(name) is no name") }
        let isCounter = kinds[name] == "counter"
        if isCounter != name.hasSuffix("_total") {
            problems.append("\(name): \(kinds[name] ?? "")")
        }
        for unit in ["milliseconds", "_ms", "kilobytes", "_percent", "gigabyte"]
        where name.contains(unit) { problems.append("\(name) is not in a base unit") }
    }

    private mutating func take(_ line: Substring, _ family: String) {
        var name = line[...]
        var rest = line[...]
        if let brace = line.firstIndex(of: "{") {
            // A label's value may have everything but an unescaped quote.
            var isQuoted = false
            var isEscaped = false
            var end: Substring.Index?
            for index in line[brace...].indices {
                let sign = line[index]
                if isEscaped {
                    isEscaped = false
                } else if sign == "\\" {
                    isEscaped = isQuoted
                } else if sign == "\"" {
                    isQuoted.toggle()
                } else if sign == "}", !isQuoted {
                    end = index
                    break
                }
            }
            guard let end else {
                problems.append("no end of labels: \(line)")
                return
            }
            name = line[...end]
            rest = line[line.index(after: end)...]
            if line[..<brace] != family { problems.append("outside of its family: \(line)") }
        } else {
            name = line.prefix { $0 != " " }
            rest = line[name.endIndex...]
            if name != family { problems.append("outside of its family: \(line)") }
        }
        guard rest.first == " ", let value = Double(rest.dropFirst()) else {
            problems.append("no value: \(line)")
            return
        }
        if kinds[family] == "counter", value < 0 { problems.append("below zero: \(line)") }
        if values.updateValue(value, forKey: String(name)) != nil {
            problems.append("the same labels twice: \(line)")
        }
    }

    /// The value of a name with these labels; nil if there is none.
    subscript(_ name: String, _ labels: String = "") -> Double? {
        values[labels.isEmpty ? name : "\(name){\(labels)}"]
    }

    /// The sum over all labels.
    func sum(_ name: String) -> Double {
        values.filter { $0.key == name || $0.key.hasPrefix(name + "{") }.reduce(0) { $0 + $1.value }
    }

    /// All values of a name.
    func count(_ name: String) -> Int { values.keys.count { $0.hasPrefix(name + "{") } }
}
