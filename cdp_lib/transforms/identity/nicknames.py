"""Short forms of English given names: names that share a group may be one person's."""

_GROUPS = (
    "abigail abby gail abbie", "albert al bert bertie", "alexander alex alec sandy xander al",
    "alexandra alex sandra lexi", "alfred alf fred alfie freddie", "andrew andy drew",
    "ann anne anna annie nan nancy", "anthony tony ant", "archibald archie", "arthur art artie",
    "augustus gus august", "barbara barb babs barbie", "benjamin ben benny benji", "bernard bernie",
    "catherine katherine kathryn cathy kathy kate katie kitty kat", "charles charlie chuck chas chaz",
    "charlotte lottie charlie lotte", "christina christine chris tina chrissy", "christopher chris kit topher",
    "clifford cliff", "constance connie", "cornelius neil con", "daniel dan danny", "david dave davy davie",
    "deborah deb debbie debra", "dorothy dot dottie dolly", "douglas doug", "edmund ed ned ted eddie",
    "edward ed eddie ned ted teddy", "eleanor ellie nell nora elle",
    "elizabeth liz beth eliza lizzie betty betsy bess libby elsie lisa", "emily em emmy millie", "ernest ernie",
    "eugene gene", "evelyn evie eve", "ferdinand ferdie", "florence flo flora florrie",
    "frances fran fanny francie", "francis frank fran frankie", "franklin frank",
    "frederick fred freddie freddy frederic fritz", "gabriel gabe", "geoffrey jeffrey geoff jeff", "george georgie",
    "gerald gerry jerry", "gilbert gil bert", "gregory greg", "harold harry hal", "harriet hattie harry",
    "helen nell ellen nellie", "henry harry hank hal", "herbert herb bert bertie", "horatio horace",
    "hubert bert hugh", "isaac ike zac", "isabella isabel bella izzy belle", "jacob jake jack",
    "james jim jimmy jamie jem", "jane janie jenny", "jennifer jen jenny jenn", "jessica jess jessie",
    "joan joanie", "joanna jo joanne", "john jack johnny jon johnnie", "jonathan jon jonny nathan",
    "joseph joe joey jos", "joshua josh", "josephine jo josie", "judith judy", "julia julie jules",
    "kenneth ken kenny", "lawrence laurence larry laurie", "leonard leo len lenny", "lewis louis lew lou louie",
    "louisa louise lou", "lucy lucinda", "madeleine madeline maddie maddy",
    "margaret maggie meg peggy marge margie greta madge daisy", "martha patty mattie", "martin marty",
    "mary molly polly mae mamie may", "matilda tilly mattie", "matthew matt matty", "maximilian max", "maxwell max",
    "michael mike mick mickey micky", "mildred millie", "nathaniel nathan nat nate", "nicholas nick nicky nicolas",
    "oliver ollie noll", "olivia liv livvy", "oscar ozzy", "oswald oz ozzie", "pamela pam",
    "patricia pat patty tricia trish", "patrick pat paddy rick", "peter pete", "philip phillip phil pip",
    "rachel rae", "raymond ray", "rebecca becky becca", "reginald reg reggie rex",
    "richard rick dick rich ricky richie dickie", "robert bob rob bobby robbie bert robin", "roderick rod roddy",
    "roger rodge hodge", "ronald ron ronnie", "rosemary rose rosie", "rupert rob", "ruth ruthie",
    "samantha sam sammy", "samuel sam sammy", "sarah sara sally sadie", "sebastian seb", "sophia sophie sofia",
    "stanley stan", "stephen steven steve stevie ste", "susan sue susie suzanne susanna", "sydney sidney sid",
    "terence terry", "theodore ted teddy theo", "theresa teresa terry tess tessa", "thomas tom tommy thom",
    "timothy tim timmy", "tobias toby", "valentine val", "victor vic", "victoria vicky tori vic",
    "vincent vince vinny", "virginia ginny", "walter walt wally wat", "wilfred wilf fred",
    "william will bill billy willie liam", "winifred winnie freda", "zachary zac zach zack",
)  # fmt: skip


def _by_name() -> dict[str, frozenset[int]]:
    groups: dict[str, set[int]] = {}
    for place, names in enumerate(_GROUPS):
        for name in names.split():
            groups.setdefault(name, set()).add(place)
    return {name: frozenset(places) for name, places in groups.items()}


NICKNAMES = _by_name()
"""Lower-case name: the groups that it belongs to."""
