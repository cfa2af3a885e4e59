import PathReport
import PathTelemetry

/// The findings of `doctor` in text and in JSON.
struct DoctorReport {
    var findings: [Finding]

    /// The number of findings of a level.
    func count(_ level: Finding.Level) -> Int { findings.count { $0.level == level } }

    var json: JSONValue { .array(findings.map(\.json)) }

    /// All findings, and a last line with their numbers.
    var text: String {
        let lines = findings.flatMap(\.lines)
        let problems = NumberText.counted(count(.problem), "problem")
        let notes = NumberText.counted(count(.note), "note")
        return lines.map { $0 + "\n" }.joined() + "\n\(problems), \(notes)\n"
    }
}
