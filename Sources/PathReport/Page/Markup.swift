import PathTelemetry

/// Text inside HTML and SVG.
enum Markup {
    /// Escapes markup characters as entities, and control and format characters (such as changes of
    /// text direction) as visible text.
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
