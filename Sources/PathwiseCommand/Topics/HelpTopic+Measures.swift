/// Topics about measuring: links that are emulated, and estimates from recordings.
extension HelpTopic {
    static let links = HelpTopic(
        name: "links", title: "How a link is described for 'emulate' and 'simulate'",
        text: """
            A link is a list of KEY=VALUE, separated by commas. The letter f or r before a
            key sets one direction only.

            \(EmulationText.forms)
            """)

    static let evaluation = HelpTopic(
        name: "evaluation", title: "What the figures of an evaluation mean",
        text: """
            Each policy first gets a verdict with its reasons: trust, weak or do not trust.
            For traces a table in units of the network follows: the share of late bursts
            with its interval, delivery times, the cost of the bytes and how often the
            policy agrees with the log. Then come values with intervals, and the paired
            difference to the recording.

            On traces the value of a decision is minus its cost, which is the logarithm of
            the delivery time, plus --lateness if it is late, plus --price times the cost
            of its bytes. A value 0.1 higher is about ten percent faster. Record with a
            policy that explores (lin-ucb, weighted): a log says nothing about actions that
            it never took.

            --statistics writes the sums of each trace instead of a report, and --merge
            makes the report from such files: for traces that lie on several machines. Each
            trace then has its own reward model, and distributions are rounded to one
            percent.

            --log reads any logged bandit data: CSV with the columns action, reward, pscore
            and pi_e_0.., and optionally pi_b_0.., q_hat_0.., x0.. (docs/formats.md). With
            --columns they have other names (action=arm,reward=clicked), or those of the
            Open Bandit Dataset (open-bandit), or the file is decision service JSON
            (dsjson). Policies of a log are pi_e, logged, uniform and constant:ACTION.

            --gate decides whether to deploy a policy, to hold it or to reject it, by a
            confidence sequence. It deploys for a gain of --margin or more: a share of the
            delivery time, or of the recorded mean of --log. --tune chooses the parameter of
            an estimator that is not given.
            """)

    static let estimators = HelpTopic(
        name: "estimators", title: "The estimators of 'evaluate'",
        text: """
            In the formulas w is the weight of a decision, r its reward, and q and d what a
            model expects of the logged action and of the policy. Some take a number, as
            dr-clip=10.

            \(EstimatorArgument.catalogue)
            """)
}
