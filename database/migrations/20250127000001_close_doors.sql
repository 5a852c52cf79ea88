-- PostgreSQL lets every role execute each new function. PUBLIC keeps those that an INSERT or UPDATE
-- calls as its writer; the rest is the owner's. Firing a trigger needs no privilege on its
-- function, only attaching it does. A migration that adds a function adds its line to either list.
-- This file can be run again by itself, in a database that was restored without privileges.
REVOKE EXECUTE ON FUNCTION
    -- Triggers.
    public.revise_event, public.log_inserted_events, public.log_revised_events,
    public.revise_replicated_events, public.log_checkpoint, public.log_chain_height,
    public.forget_time_of_height,
    public.put_notification_settings_in_force,
    public.keep_notification_filter, public.notify_new_event, public.notify_sleepers,
    public.notify_replicated_events, public.put_chain_list_in_force,
    -- Functions that they call as the owner.
    public.ring_event_log, public.ring_for_waiting_events, public.inserted_revision,
    public.refresh_notification_filter, public.selector_texts, public.refuse_foreign_bounds,
    public.chain_list_is_set,
    -- Functions of our processes, Ponder and the operator.
    public.enable_trigger_always, public.give_to_owner, public.log_is_restored,
    public.renumber_restored_log,
    public.shut_notification_gate, public.open_notification_gate, public.claim_shards,
    public.lock_chain, public.follow_reorg, public.leaves_finalized, public.raise_chain_height,
    public.set_checkpoint, public.remember_orphaned, public.invalidate_blocks,
    public.ponder_rights, public.ponder_copy_events, public.ponder_doubt_events,
    public.ponder_contradict, public.ponder_take_back_forged, public.ponder_pass_block,
    public.ponder_report, public.ponder_attach, public.ponder_start, public.ponder_take_over,
    public.ponder_forget, public.ponder_is_writing, public.ponder_refuse_replacing,
    public.ponder_caches, public.ponder_trim_caches, public.ponder_reset
FROM PUBLIC;

-- Independent of the owner's default privileges.
GRANT EXECUTE ON FUNCTION
    -- For notifications.
    public.is_worth_a_bell, public.could_match, public.ring_new_event, public.somebody_sleeps,
    public.notification_mode, public.notification_registry_channels,
    public.notification_chain_channels, public.notification_only_matching,
    -- For an UPDATE.
    public.refuse_impossible, public.arguments_are_readable, public.arguments_text,
    public.comparable_hash, public.differing_columns, public.says_otherwise,
    public.revisions_between, public.is_invalid_now, public.next_revision
TO PUBLIC;
