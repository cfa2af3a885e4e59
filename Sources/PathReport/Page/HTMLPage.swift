/// An HTML page in one file, without scripts or other files, readable on light and dark screens.
public struct HTMLPage: Sendable {
    /// The meaning of a verdict's colour.
    public enum Tone: String, Sendable { case good, warn, bad }

    /// A part of the page, from top to bottom.
    public enum Block: Sendable {
        case heading(String)
        case paragraph(String)
        /// A prominent sentence, coloured by its tone.
        case verdict(Tone, String)
        case table(TextTable)
        /// A drawing with a caption.
        case figure(svg: String, caption: String)
        /// Preformatted text, such as a command.
        case code(String)
    }

    public var title: String
    /// One line below the title.
    public var subtitle: String
    public var blocks: [Block]

    public init(title: String, subtitle: String = "", blocks: [Block] = []) {
        self.title = title
        self.subtitle = subtitle
        self.blocks = blocks
    }

    /// The page as the text of one HTML file.
    public func html() -> String {
        var body = "<h1>\(Markup.escape(title))</h1>\n"
        if !subtitle.isEmpty { body += "<p class=\"sub\">\(Markup.escape(subtitle))</p>\n" }
        for block in blocks { body += HTMLPage.html(block) }
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(Markup.escape(title))</title>
            <style>\(HTMLPage.style)</style>
            </head>
            <body>
            \(body)</body>
            </html>

            """
    }

    private static func html(_ block: Block) -> String {
        switch block {
        case .heading(let text): "<h2>\(Markup.escape(text))</h2>\n"
        case .paragraph(let text): "<p>\(Markup.escape(text))</p>\n"
        case .verdict(let tone, let text):
            "<p class=\"verdict \(tone.rawValue)\">\(Markup.escape(text))</p>\n"
        case .code(let text): "<pre>\(Markup.escape(text))</pre>\n"
        case .figure(let svg, let caption):
            "<figure>\(svg)\n<figcaption>\(Markup.escape(caption))</figcaption></figure>\n"
        case .table(let table): html(table)
        }
    }

    private static func html(_ table: TextTable) -> String {
        func cell(_ tag: String, _ column: TextTable.Column, _ text: String) -> String {
            let name = column.alignment == .right ? " class=\"n\"" : ""
            return "<\(tag)\(name)>\(Markup.escape(text))</\(tag)>"
        }
        var html = "<div class=\"scroll\"><table>\n<thead><tr>"
        html += table.columns.map { cell("th", $0, $0.title) }.joined()
        html += "</tr></thead>\n<tbody>\n"
        for row in table.rows {
            html += "<tr>" + zip(table.columns, row).map { cell("td", $0, $1) }.joined() + "</tr>\n"
        }
        return html + "</tbody></table></div>\n"
    }

    private static let style = """
        body{font:16px/1.5 system-ui,"DejaVu Sans",sans-serif;max-width:56rem;margin:2rem auto;\
        padding:0 1rem;color:#222;background:#fff}\
        h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.2rem;margin:2rem 0 .5rem}\
        .sub{color:#666;margin-top:0}.scroll{overflow-x:auto}\
        table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\
        th,td{padding:.3rem .8rem .3rem 0;text-align:left;border-bottom:1px solid #8884;\
        white-space:nowrap}th{font-weight:600}.n{text-align:right}\
        figure{margin:1rem 0;overflow-x:auto}figure svg{width:100%;height:auto}\
        figcaption{color:#666;font-size:.85rem}\
        pre{background:#8882;padding:.6rem .8rem;border-radius:6px;overflow-x:auto}\
        .verdict{border-left:5px solid;padding:.5rem .8rem;background:#8881;border-radius:4px}\
        .good{border-color:#009988}.warn{border-color:#ee7733}.bad{border-color:#cc3311}\
        @media(max-width:38rem){figure svg{width:38rem}}\
        @media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}\
        .sub,figcaption{color:#aaa}}
        """
}
