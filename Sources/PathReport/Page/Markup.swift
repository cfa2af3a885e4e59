import PathTelemetry

/// Text inside HTML and SVG.
enum Markup {
    /// The text with what has a meaning in markup as entities, and with control and format
    /// characters, such as those that turn the direction of text around, written out.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.startIndex != text.startIndex { escaped += "\n" }
            for scalar in EscapedText(String(line)).description.unicodeScalars {
                switch scalar {
                case "&": escaped += "&amp;"
                case "<": escaped += "&lt;"
                case ">": escaped += "&gt;"
                case "\"": escaped += "&quot;"
                default: escaped.unicodeScalars.append(scalar)
                }
            }
        }
        return escaped
    }
}
