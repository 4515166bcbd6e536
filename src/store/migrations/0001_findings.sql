-- What is kept. One text for both databases: {text} and {int} are their words for a text that compares by bytes and for a whole
-- number of 64 bits; {strict} lets SQLite refuse other types. Money is cents, a day the number of days since 1970-01-01, a flag
-- 0 or 1, a time civil local text.

-- A fact, narrow: everything that lists filter, sort and add up, and the case with it. Its texts are in finding_text.
create table finding (
    finding_id        {text} not null primary key,
    rule_code         {text} not null,
    result            {text} not null,
    severity          {text} not null,
    psn_no            {text},
    mdtrt_id          {text},
    fixmedins_code    {text},
    region            {text},
    from_day          {int},
    until_day         {int},
    month             {text},
    amount            {int} not null,
    allocated         {int} not null,
    fund_loss_est     {int},
    fund_money        {int} not null check (fund_money in (0, 1)),
    exempted_by       {text},
    -- Hash of all that a scan says of the fact, lines and persons included, but not of the rule's version.
    content           {text} not null,
    first_scan        {text} not null,
    first_seen_at     {text} not null,
    last_scan         {text} not null,
    last_seen_at      {text} not null,
    -- The case.
    status            {text} not null,
    outcome           {text} not null,
    measures          {text} not null,
    version           {int} not null,
    assignee          {text},
    deadline          {int},
    found             {int} not null,
    standing          {int} not null,
    decided           {int} not null,
    damages           {int} not null,
    recovered         {int} not null,
    damages_recovered {int} not null,
    seen_again        {int} not null check (seen_again in (0, 1)),
    present           {int} not null check (present in (0, 1)),
    judges            {text} not null,
    changed_at        {text} not null
) {strict};

create index finding_by_money on finding (allocated desc, finding_id);
create index finding_by_rule on finding (rule_code, allocated desc);
create index finding_by_facility on finding (fixmedins_code, allocated desc);
create index finding_by_status on finding (status, deadline);
create index finding_by_assignee on finding (assignee, status);
create index finding_by_encounter on finding (mdtrt_id);
create index finding_by_first_scan on finding (first_seen_at, finding_id);

create table finding_text (
    finding_id {text} not null primary key references finding (finding_id),
    rule_name  {text} not null,
    rule_title {text} not null,
    rule_hash  {text} not null,
    unit       {text} not null,
    key        {text} not null,
    setl_id    {text},
    feedetl_sn {text},
    message    {text} not null,
    basis      {text} not null,
    evidence   {text} not null
) {strict};

create table finding_line (
    finding_id {text} not null references finding (finding_id),
    place      {int} not null,
    mdtrt_id   {text} not null,
    feedetl_sn {text} not null,
    kind       {int} not null check (kind in (1, 2)),
    amount     {int} not null,
    primary key (finding_id, place)
) {strict};

-- The persons of any line of a finding.
create table finding_person (
    finding_id {text} not null references finding (finding_id),
    psn_no     {text} not null,
    primary key (finding_id, psn_no)
) {strict};

create index finding_person_by_person on finding_person (psn_no, finding_id);

-- What scans said of a fact, except that it came out the same.
create table sighting (
    finding_id {text} not null references finding (finding_id),
    scan_id    {text} not null,
    what       {text} not null,
    at         {text} not null,
    changes    {text} not null,
    primary key (finding_id, scan_id, what)
) {strict};

create index sighting_by_scan on sighting (scan_id, what, finding_id);

-- What people, and the machine, did to a case.
create table case_step (
    finding_id  {text} not null references finding (finding_id),
    seq         {int} not null,
    at          {text} not null,
    actor       {text} not null,
    action      {text} not null,
    from_status {text} not null,
    to_status   {text} not null,
    outcome     {text} not null,
    reason_code {text},
    reason      {text} not null,
    before      {int} not null,
    after       {int} not null,
    damages     {int} not null,
    deadline    {int},
    attachments {text} not null,
    primary key (finding_id, seq)
) {strict};

create index case_step_by_action on case_step (action, finding_id);

create table rule (
    rule_code  {text} not null primary key,
    rule_name  {text} not null,
    rule_title {text} not null
) {strict};

create table facility (
    fixmedins_code {text} not null primary key,
    name           {text},
    admdvs         {text}
) {strict};

create table scan (
    scan_id       {text} not null primary key,
    state         {text} not null,
    started_at    {text} not null,
    merged_at     {text},
    ended_at      {text},
    as_of         {int} not null,
    rule_set_hash {text} not null,
    everyone      {int} not null check (everyone in (0, 1)),
    merged        {text},
    record        {text} not null
) {strict};

create index scan_by_start on scan (started_at, scan_id);

create table file_taken (
    sha256   {text} not null primary key,
    name     {text} not null,
    bytes    {int} not null,
    rows     {int} not null,
    taken_at {text} not null,
    scan_id  {text},
    reason   {text}
) {strict};

create index file_taken_by_scan on file_taken (scan_id, name);

create table remembered (
    name  {text} not null primary key,
    value {text} not null
) {strict};

create table lease (
    name      {text} not null primary key,
    owner     {text} not null,
    number    {int} not null,
    since     {text} not null,
    heartbeat {text} not null,
    -- After the last heartbeat it lapses in so many; 0: it was given back.
    seconds   {int} not null
) {strict};
