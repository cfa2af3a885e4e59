import PathNetwork
import PathReport

/// Topics about the traffic of other programs.
extension HelpTopic {
    static let forwards = HelpTopic(
        name: "forwards", title: "What is forwarded, and how its flows are treated",
        text: """
            Programs connect to local ports, and 'pathwise serve' connects to their
            targets. All forwards share one session. It is kept while all paths are down
            (--hold), and made again when the server was restarted; until then UDP flows
            wait, and TCP flows are reset.

            A forward is one of:
              tcp:PORT                    the same port at the server's loopback
              udp:PORT                    the same for datagrams, as WireGuard's
              tcp:[ADDR:]PORT=HOST:PORT   a target that the server connects to
              udp:[ADDR:]PORT=HOST:PORT
              socks:[ADDR:]PORT           a SOCKS5 proxy, with UDP
              http:[ADDR:]PORT            a proxy for HTTP CONNECT

            It listens on 127.0.0.1 unless ADDR says otherwise. With --reverse the server
            listens, and this side connects to HOST:PORT. The server allows its own
            loopback as a target; 'pathwise serve --forward-allow' and, for listeners,
            --reverse-allow allow more.

            Each forward may have options after it; --deadline, --ordered, --redundancy and
            --class give the defaults for all of the command. For udp: and socks::
              deadline=TIME      a datagram that is later than this is dropped (1s)
              ordered=TIME       how long a datagram waits for those before it; for programs
                                 that take reordering for loss, like SRT (400ms)
              redundancy=SHARE   bytes for copies of datagrams on another path while theirs
                                 pauses, as a share of the flow's own, 0% to 100% (10%)
            For all:
              class=NAME         how connections share the paths while all have data:
                                 interactive, media or bulk, 16 : 4 : 1 (bulk). Datagrams go
                                 before all of them, and among themselves in this order
                                 (media): a WireGuard with class=bulk yields to a camera

            An option that has no effect on a forward is refused.

            A flow that fails, because the server does not allow its target or cannot reach
            it, is named in the log, five targets a minute for each reason and then a
            count, and counted by 'pathwise status'. A side that may open no more files
            ('ulimit -n', LimitNOFILE= of a service) refuses new flows and says so; those
            that are open go on.

            It ends with exit code 77 when the server withdraws this client's key or does
            not know it, and with 69 if none of the interfaces of --path exists at the
            start; 130 after Ctrl-C, 143 after SIGTERM, and 129 when its terminal is
            closed, unless it was started with nohup. Anything else makes it try again,
            after 1 to 30 s.
            """)

    static let paths = HelpTopic(
        name: "paths", title: "How paths are named, limited and found",
        text: """
            A path is given as --path, or as a table [[path]] of the configuration file:

              NAME=INTERFACE|ADDRESS[>HOST:PORT][,OPTION...]

            Options:
              weight=W           its share for the policy weighted
              price=PER_GB       the price of 10^9 bytes
              limit=RATE         its highest rate, as 20mbit
              cap=SIZE/PERIOD    the bytes of a day, week or month, as 50GB/month
              hard               at its cap the path is removed
              kind=KIND          the kind of network, if its interface does not tell it
              backup             it carries data only while no other path works

            At its cap a path becomes standby: it carries data only while no other path
            works. With 'hard' after the cap it is removed instead, and carries nothing
            until the next period begins. The log says when 80 % and all of a cap are used.

            Without any path, every usable interface is one; paths appear and disappear
            with their interfaces. Interfaces of --exclude-interface are left out, and so
            are those of containers and virtual machines, and tunnels, which may carry what
            is forwarded here. '--path NAME=INTERFACE' takes any.
            \(leftOut)

            A path tries each address of the server that its interface may reach until one
            answers. [fe80::1%eth0]:7000 is a server on the link of eth0.
            """)

    /// The interfaces that are left out, in lines.
    private static var leftOut: String {
        let names = PathPlanner.containerInterfaces + PathPlanner.tunnelInterfaces
        let half = (names.count + 1) / 2
        return [names.prefix(half), names.dropFirst(half)]
            .map { "  " + $0.joined(separator: " ") }.joined(separator: "\n")
    }

    static let serving = HelpTopic(
        name: "serving", title: "What a server lets its clients do",
        text: """
            The first start makes the server's key and its folder, and prints a token with
            which one client can join: 'pathwise join TOKEN'. 'pathwise invite' makes more
            tokens. The file 'clients' in the folder has a line for each client, with its
            name and key and what it may do; the running server takes changes of it at
            once, and on SIGHUP. A client whose line is removed is cut off and told so,
            which ends its 'forward'; one whose line has changed has to connect again. A
            line with a mistake admits nobody, the log says what to correct, and the other
            lines count. An emptied file cuts all off; a missing one changes nothing, and
            the log says so.

            It listens on port \(ServeSetup.port), by UDP, on all addresses. That port needs no
            privileges, is below those that the system gives to other programs, and is the
            one of all examples here. If the clients' networks let nothing else through,
            use --listen 0.0.0.0:443. A token has the addresses of --public, else those of
            --listen, else all that this host has when the token is made.

            A client may connect to what --forward-allow permits (default: this host's
            loopback only), and have this server listen where --reverse-allow permits
            (default: this host's loopback, from port 1024 on). Its line in 'clients' may
            say otherwise. A rule is HOST:PORT or NETWORK:PORTS, as 10.0.0.0/8:443,
            studio:8000-8010 or *:80; the address of a name is checked, not the name.

            All clients share this host's loopback: each reaches the services there, also
            those that another client has it listen for ('forward --reverse'), and may
            listen on a port whose service is stopped. Where clients do not trust each
            other, give each line its own allow= and listen= ('none' permits nothing). The
            page of --http is kept from clients unless it has a token.

            A session is kept for the time of --hold without a packet from the client, so
            that its connections live through an outage; the lower time of both sides
            counts.

            The log has a line for each event: clients that join and leave, with totals,
            items that were stored, flows that failed (five targets a minute for each
            client and reason, then a count), connections that were refused, clients to
            which no path works, caps of clients, and problems. The exit code is 130 after
            Ctrl-C, 143 after SIGTERM, and 129 when its terminal is closed, unless it was
            started with nohup.
            """)
}
