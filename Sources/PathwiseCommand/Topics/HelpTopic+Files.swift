/// Topics about files.
extension HelpTopic {
    static let sending = HelpTopic(
        name: "sending", title: "How files are sent, and what is sent again",
        text: """
            The receiver confirms each item with its SHA-256 when it is on its disk. Bytes
            that it already has are not sent again: after an interruption, send the same
            items again.

            A folder is sent with all its files, folders and links (as links), their
            permissions and times. Pipes, sockets and devices in it, and unfinished files
            of a receiver, are reported and left out. A file that grows is sent with its
            first size; one that shrinks fails. A failed item does not stop the others.

            The exit code is 74 if some items were not sent, and the last lines name each;
            a single item gives the code of its failure. With --json the object is always
            printed, with the outcomes of all items, and under "error" the last line and
            its exit code.
            """)

    static let receiving = HelpTopic(
        name: "receiving", title: "Where received files go",
        text: """
            Only clients whose public keys are given with --allow can connect. Each item is
            written to a temporary file in its destination folder, read back, compared with
            the sender's SHA-256, synchronised to the disk, and renamed: only then is the
            sender told that it is stored. Sending a large item again resumes an
            interrupted transfer. A line is printed for each item: time, client, outcome,
            kind, bytes, rate, SHA-256, place; folders and links have no figures.

            Where items are stored, by --output:
              a folder          below it, under the senders' names
              NAME/             the same; the folder is created if missing
              NAME, if missing  a single file becomes NAME; several items, or a folder, go
                                into a new folder NAME
              NAME, a file      a single file, by --on-conflict; several items are refused
              -                 standard output, one item after the other; the receiver ends
                                if a client breaks off in the middle of one

            If the name of a file or link exists, by --on-conflict:
              rename            the item gets the first free name of NAME.1, NAME.2, ...
              refuse            the item is not stored, and its sender is told
              replace           the item replaces a file or link, never a folder

            The same content with the same time under the same name is no conflict. A
            folder is merged with an existing one; it never replaces a file or link.

            The exit code is 74 if some items were not stored, and the log names them; 69
            if a client was lost; 130 after Ctrl-C, 143 after SIGTERM, and 129 when its
            terminal is closed, unless it was started with nohup.
            """)
}
