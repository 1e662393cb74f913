//! Conversations, and whether somebody else may have the session after them.

use proptest::prelude::*;

use super::*;

/// Messages of these types, whose bodies do not matter.
fn messages(kinds: &str) -> Vec<u8> {
    kinds.bytes().flat_map(|kind| [kind, 0, 0, 0, 5, b'I']).collect()
}

/// `>` begins what the client says, `<` what the server says.
fn said(script: &str) -> Conversation {
    let mut conversation = Conversation::new();
    for part in script.split_whitespace() {
        let (who, kinds) = part.split_at(1);
        match who {
            ">" => {
                let bytes = messages(kinds);
                assert_eq!(conversation.client_says(&bytes), bytes.len());
            }
            _ => conversation.server_says(&messages(kinds)),
        }
    }
    conversation
}

#[test]
fn what_is_answered_is_settled() {
    for script in [
        "",
        ">Q <TDCZ",
        ">Q <TDCTDCZ >Q <EZ",
        ">PBDES <12TDCZ",
        ">PBDES >PBDES <12TDCZ <12TDCZ",
        ">PBE >H <12D >S <CZ",
        ">F <VZ",
        // tokio-postgres mixes both.
        ">Q >PBES >Q <CZ <12CZ <CZ",
        // An error skips what follows up to Sync.
        ">PBEPBES <1EZ",
        // COPY by a simple query.
        ">Q <G >ddc <CZ",
        ">Q <G >ddf <EZ",
        ">Q <G >d <E >ddc <Z",
        ">Q <G >d <EZ >ddc",
        ">Q <G >dc <CG >dc <CZ",
        ">Q <HddcCZ",
        // libpq: the first Sync is never answered, the second is.
        ">PBDES <12nG >ddcS <CZ",
        ">PBDES <12nG >ddcS <CZ >PBDES <12nG >dfS <E >Q",
    ] {
        let settled = said(script);
        let last = script.ends_with("<E >Q");
        assert_eq!(settled.is_settled(), !last, "{script}");
    }
}

#[test]
fn what_is_open_is_not_settled() {
    for script in [
        ">Q",
        ">Q <TDC",
        ">PBDE",
        ">PBDE <12TDC",
        ">PBDES <12TDC",
        ">PBDES >PBDES <12TDCZ",
        ">Q <G",
        ">Q <G >dd",
        ">Q <G >dc",
        ">PBDES <12nG >ddc",
        ">PBDES <12nG >ddc <C",
        ">PBDES <12nG >ddcS <C",
        // Only Sync ends what skips to the next Sync.
        ">PBE <1E >Q",
    ] {
        assert!(!said(script).is_settled(), "{script}");
    }
}

#[test]
fn a_sync_that_the_server_may_have_ignored_leaves_doubt_for_good() {
    for script in [
        // The error came before or after the server ignored a Sync.
        ">PBDES <12nG >d <E",
        ">PBDES <12nG >dcS <E",
        ">Q <G >dSd <E",
        // Data before the server asked for it.
        ">PBDESdcS <12nG",
        // A statement in the middle of a COPY.
        ">Q <G >Q",
        ">QQ <G",
        // Answers to nothing, and replication.
        "<Z",
        ">Q <W",
    ] {
        let mut conversation = said(script);
        assert!(!conversation.may_settle(), "{script}");
        for _ in 0..3 {
            conversation.server_says(&messages("CZ"));
            conversation.client_says(&messages("S"));
        }
        assert!(!conversation.may_settle(), "{script}");
    }
}

#[test]
fn data_after_an_error_is_forgotten() {
    // The server ignores it, and so does the next COPY.
    assert!(said(">Q <G >d <E >dc <Z >Q <G >dc <CZ").is_settled());
}

#[test]
fn terminate_is_for_nobody() {
    let mut conversation = Conversation::new();
    assert_eq!(conversation.client_says(b"Q\0\0\0\x05\0X\0\0\0\x04"), 6);
    assert!(conversation.may_settle() && !conversation.is_settled());
    conversation.server_says(&messages("CZ"));
    assert!(conversation.is_settled() && !conversation.is_in_transaction());
}

#[test]
fn the_middle_of_a_message_is_not_settled() {
    let whole = messages("Q");
    for end in 1..whole.len() {
        let mut conversation = Conversation::new();
        conversation.client_says(&whole[..end]);
        assert!(!conversation.may_settle(), "{end}");
        let mut conversation = said(">Q");
        conversation.server_says(&messages("CZ")[..6 + end]);
        assert!(!conversation.is_settled(), "{end}");
    }
    // Nobody knows where the next one begins.
    let mut conversation = Conversation::new();
    assert_eq!(conversation.client_says(b"Q\0\0\0\x01rest"), 9);
    assert!(!conversation.may_settle());
}

#[test]
fn transactions_and_parameters_are_known() {
    let mut conversation = said(">Q");
    conversation.server_says(b"S\0\0\0\x08a\0b\0Z\0\0\0\x05T");
    assert!(conversation.is_settled() && conversation.is_in_transaction());
    assert_eq!(conversation.parameters.get("a"), Some(&b"b"[..]));
}

proptest! {
    /// Whatever is said, however it is cut: the client's bytes pass up to a `Terminate`, and nothing else is lost.
    #[test]
    fn any_bytes_may_come(client in prop::collection::vec(any::<u8>(), 0..200), server in prop::collection::vec(any::<u8>(), 0..200), size in 1_usize..20) {
        let mut conversation = Conversation::new();
        for (client, server) in client.chunks(size).zip(server.chunks(size)) {
            let between = conversation.client.is_between();
            let passed = conversation.client_says(client);
            prop_assert!(passed <= client.len());
            if passed < client.len() {
                prop_assert_eq!(client[passed], b'X');
                prop_assert!(passed > 0 || between);
                break;
            }
            conversation.server_says(server);
        }
        // Asking is always possible.
        let _ = (conversation.is_settled(), conversation.may_settle(), conversation.is_quiet());
    }

    /// How messages are cut makes no difference.
    #[test]
    fn cuts_make_no_difference(kinds in "[QPBESFdcfHC]{0,20}", answers in "[12TDCEGZSANZ]{0,20}", size in 1_usize..30) {
        let (client, server) = (messages(&kinds), messages(&answers));
        let mut whole = Conversation::new();
        whole.client_says(&client);
        whole.server_says(&server);
        let mut cut = Conversation::new();
        client.chunks(size).for_each(|chunk| assert_eq!(cut.client_says(chunk), chunk.len()));
        server.chunks(size).for_each(|chunk| cut.server_says(chunk));
        prop_assert_eq!(whole.in_doubt, cut.in_doubt);
        // What is in doubt stays so, and is looked at no more.
        if !whole.in_doubt {
            prop_assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
        }
    }
}
